.PHONY: help demo preview up test test-abuse test-day-two test-faults test-vm sbom audit outdated check unit service coverage destroy lint metrics report shell status token venv bench-files

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: venv ## two hosts, the whole cluster on them, a file across: left running
	@.venv/bin/python -m lab demo

preview: venv ## what `make up` would change, as a diff: your settings are in demo.yaml
	@.venv/bin/python -m lab preview

up: venv ## bring the demo's cluster to what demo.yaml and the program say now
	@.venv/bin/python -m lab up

test: venv ## what check runs, and end to end on two hosts of its own; as root on Debian
	@.venv/bin/python -m lab test

test-day-two: venv ## alerts, drift, backups, true metrics, other hosts and Engines, a registry, a bucket: three quarters of an hour; as root on Debian
	@.venv/bin/python -m lab test-day-two

test-faults: venv ## networks, disks, memory and Pulumi fail, hosts are maintained and lost: over an hour; as root on Debian
	@.venv/bin/python -m lab test-faults

test-vm: venv ## encrypted networks, transfer, metrics and wrong clocks on two virtual machines: a quarter of an hour; as root on Debian
	@.venv/bin/python -m lab test-vm

destroy: venv ## take away all that demo and test have made (built tools and images stay cached)
	@.venv/bin/python -m lab destroy

check: venv ## all that needs neither root nor hosts: lint, unit, service without its slow tests; a few minutes
	@.venv/bin/python -m tools check

lint: venv ## formatting, lint, types, shell scripts, Dockerfiles, workflows, rules
	@.venv/bin/python -m tools lint

unit: venv ## the unit tests alone
	@.venv/bin/python -m tools unit

service: venv ## the file service's tests alone, with the slow ones
	@.venv/bin/python -m tools service

test-abuse: venv ## what the page on security says is defended, without hosts: some minutes
	@.venv/bin/python -m tools abuse

sbom: venv ## what a deployment is made of, as a CycloneDX SBOM in build/: Python packages and images
	@.venv/bin/python -m tools.sbom

audit: venv ## known vulnerabilities of the locked Python packages; needs the network: make audit DATABASE=osv
	@.venv/bin/python -m tools.audit $(DATABASE)

outdated: venv ## pins that have a newer version: packages, Go modules, and with skopeo images; needs the network
	@.venv/bin/python -m tools.outdated

token: venv ## a new token for the file service, as a setting: make token NAME=ci
	@.venv/bin/python -m tools.new_token $(NAME)

coverage: venv ## which lines the unit and service tests run; information only
	@.venv/bin/python -m tools coverage

metrics: venv ## the eight metrics of the demo's hosts and services, from both InfluxDBs
	@.venv/bin/python -m lab metrics

status: venv ## what of the demo runs where, and how to reach it
	@.venv/bin/python -m lab status

report: venv ## the same as pictures: eight panels in one page
	@.venv/bin/python -m lab report

bench-files: venv ## the file service against other servers: minutes, the first time some more to install these
	@.venv/bin/python -m bench.files

shell: venv ## a shell where the demo's hosts can be reached; `pulumi` works on its stack
	@.venv/bin/python -m lab shell

venv:
	@lab/venv.sh
