// cAdvisor for the offline lab: upstream's own library, under those of upstream's flags that the project uses.
//
// Upstream's main package cannot be had as a module: its go.mod replaces the library by a folder of its repository.
// It is followed here flag by flag; left out are the web pages, the REST API, storage drivers, OOM events, and the
// collectors of perf events, resctrl and application metrics.
package main

import (
	"flag"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/cadvisor/lib/cache/memory"
	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/metrics"
	info "github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/google/cadvisor/lib/version"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	// Each registers itself, and its flags, when it is imported.
	_ "github.com/google/cadvisor/container/docker/install"
	_ "github.com/google/cadvisor/lib/fs/overlay/install"
	_ "github.com/google/cadvisor/lib/fs/vfs/install"
)

const library = "github.com/google/cadvisor/lib"

// The flags that upstream defines in its main package; the library defines the others
// (housekeeping, -docker, -docker_only and more) itself.
var (
	listenIP        = flag.String("listen_ip", "", "IP to listen on, defaults to all IPs")
	port            = flag.Int("port", 8080, "port to listen")
	storageDuration = flag.Duration("storage_duration", 2*time.Minute, "how long to keep data stored")
	storeLabels     = flag.Bool("store_container_labels", true,
		"convert container labels into labels on metrics; if false, only the whitelisted ones")
	whitelistedLabels = flag.String("whitelisted_container_labels", "",
		"comma-separated container labels to convert; -store_container_labels must be false for this to take effect")

	// Upstream's default.
	disabledMetrics = container.MetricSet{
		container.CPUSetMetrics:                  {},
		container.CPUTopologyMetrics:             {},
		container.HugetlbUsageMetrics:            {},
		container.MemoryNumaMetrics:              {},
		container.NetworkAdvancedTcpUsageMetrics: {},
		container.NetworkTcpUsageMetrics:         {},
		container.NetworkUdpUsageMetrics:         {},
		container.ProcessMetrics:                 {},
		container.ProcessSchedulerMetrics:        {},
		container.ReferencedMemoryMetrics:        {},
		container.ResctrlMetrics:                 {},
	}
	enabledMetrics = container.MetricSet{}
)

func main() {
	endOnSignal()
	parseFlags()
	version.Info["version"] = libraryVersion()

	kinds := enabledMetrics
	if len(kinds) == 0 {
		kinds = container.AllMetrics.Difference(disabledMetrics)
	}
	everyCgroup, noVariables := []string{""}, []string{""} // as the library has upstream's empty flags
	machine, err := manager.New(memory.New(*storageDuration, nil), sysfs.NewRealSysFs(),
		manager.HousekeepingConfigFlags, kinds, everyCgroup, noVariables, "", 0)
	if err != nil {
		klog.Fatalf("Failed to create a manager: %v", err)
	}
	if err := machine.Start(); err != nil {
		klog.Fatalf("Failed to start manager: %v", err)
	}

	http.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		_, _ = answer.Write([]byte("ok"))
	})
	http.Handle("/metrics", metricsHandler(machine, kinds))
	klog.Fatal(http.ListenAndServe(net.JoinHostPort(*listenIP, strconv.Itoa(*port)), nil))
}

// endOnSignal comes first: as a container's first process this one gets no default action for signals, and without
// Docker the library takes seconds to start. There is nothing to save.
func endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		klog.Infof("Exiting given signal: %v", <-signals)
		os.Exit(0)
	}()
}

func parseFlags() {
	klog.InitFlags(nil)    // -logtostderr, -v and their like
	_ = flag.Set("v", "2") // upstream's default
	flag.Var(&disabledMetrics, "disable_metrics", "comma-separated `kinds` of metrics to disable")
	flag.Var(&enabledMetrics, "enable_metrics",
		"comma-separated `kinds` of metrics to enable; if set, -disable_metrics has no effect. Kinds: "+
			container.AllMetrics.String())
	flag.Parse()
}

// libraryVersion is what the metric cadvisor_version_info tells: there, too, it is to pass for upstream's program.
func libraryVersion() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == library {
				return module.Version
			}
		}
	}
	return ""
}

// metricsHandler answers with the latest sample of every container, of the machine, and of this process itself.
func metricsHandler(machine manager.Manager, kinds container.MetricSet) http.Handler {
	labels := metrics.DefaultContainerLabels
	if !*storeLabels {
		names := strings.Split(*whitelistedLabels, ",")
		for i := range names {
			names[i] = strings.TrimSpace(names[i])
		}
		labels = metrics.BaseContainerLabels(names)
	}
	latest := info.RequestOptions{IdType: info.TypeName, Count: 1, Recursive: true}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(machine, labels, kinds, clock.RealClock{}, latest),
		metrics.NewPrometheusMachineCollector(machine, kinds),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	// One metric that cannot be had must not cost all others.
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
