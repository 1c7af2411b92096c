"""Overlay networks whose VXLAN numbers the program chooses itself."""

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from components.overlay import vxlan_number


@given(number=st.integers(0, 2**27 - 1))
def test_a_vxlan_number_is_one_that_docker_accepts(number: int) -> None:
    assert 4096 <= vxlan_number(IPv4Network((number * 32, 27))) < 2**24


@given(first=st.integers(0, 2**24 - 4097), distance=st.integers(1, 2**24 - 4097))
def test_subnets_beside_each_other_have_different_vxlan_numbers(first: int, distance: int) -> None:
    one, other = (IPv4Network((number * 32, 27)) for number in (first, first + distance))

    assert vxlan_number(one) != vxlan_number(other)
