// Command cadvisor is cAdvisor for the lab: upstream's packages under a command of the lab's own. Upstream's command is in a module
// that the module proxy does not have. It has the flags that docker-node sets, the metrics, and the health check.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	_ "github.com/google/cadvisor/container/docker/install"
	"github.com/google/cadvisor/lib/cache/memory"
	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/metrics"
	"github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"
)

const address = ":8080"

func main() {
	labels := flag.Bool("store_container_labels", true, "labels of containers become labels of metrics")
	check := flag.Bool("check", false, "asks a cadvisor that runs whether it is well")
	enabled := container.MetricSet{}
	flag.Var(&enabled, "enable_metrics", "groups of metrics")
	flag.Parse()
	if *check {
		os.Exit(ask())
	}
	if err := serve(enabled, *labels); err != nil {
		log.Fatal(err)
	}
}

// ask returns the exit status of the health check.
func ask() int {
	response, err := (&http.Client{Timeout: 20 * time.Second}).Get("http://127.0.0.1" + address + "/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}

// serve answers until it fails. Upstream keeps two minutes of samples.
func serve(enabled container.MetricSet, labels bool) error {
	prefixes := strings.Split("", ",")
	found, err := manager.New(memory.New(2*time.Minute, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags,
		enabled, prefixes, prefixes, "", 0)
	if err != nil {
		return err
	}
	if err := found.Start(); err != nil {
		return err
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	// As upstream: a metric that is there twice, as those of block devices without a name, does not hide the others.
	options := promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}
	http.Handle("/metrics", promhttp.HandlerFor(register(found, enabled, labels), options))
	return http.ListenAndServe(address, nil)
}

// register returns what Prometheus reads: all containers, each with its newest sample.
func register(found manager.Manager, enabled container.MetricSet, labels bool) *prometheus.Registry {
	labelsOf := metrics.BaseContainerLabels(nil)
	if labels {
		labelsOf = metrics.DefaultContainerLabels
	}
	newest := model.RequestOptions{IdType: "name", Count: 1, Recursive: true}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(found, labelsOf, enabled, clock.RealClock{}, newest),
		metrics.NewPrometheusMachineCollector(found, enabled),
	)
	return registry
}
