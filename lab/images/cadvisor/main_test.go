package main

import (
	"testing"

	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/model"
)

// fakeManager knows one container.
type fakeManager struct{ manager.Manager }

func (fakeManager) GetRequestedContainersInfo(string, model.RequestOptions) (map[string]*model.ContainerInfo, error) {
	found := &model.ContainerInfo{
		ContainerReference: model.ContainerReference{Name: "/docker/1", Aliases: []string{"web"}},
		Spec:               model.ContainerSpec{Labels: map[string]string{"team": "a"}},
	}
	return map[string]*model.ContainerInfo{"/docker/1": found}, nil
}

func (fakeManager) GetVersionInfo() (*model.VersionInfo, error) { return &model.VersionInfo{}, nil }

func (fakeManager) GetMachineInfo() (*model.MachineInfo, error) {
	return &model.MachineInfo{NumCores: 3}, nil
}

// labelsOf gathers what Prometheus reads, and returns the labels of one metric.
func labelsOf(t *testing.T, metric string, withLabels bool) map[string]string {
	t.Helper()
	families, err := register(fakeManager{}, container.MetricSet{}, withLabels).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != metric {
			continue
		}
		labels := map[string]string{}
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		return labels
	}
	t.Fatalf("no metric %s", metric)
	return nil
}

func TestLabelsOfContainers(t *testing.T) {
	const label = "container_label_team"
	labels := labelsOf(t, "container_start_time_seconds", true)
	if labels["name"] != "web" || labels[label] != "a" {
		t.Errorf("with labels: %v", labels)
	}
	labels = labelsOf(t, "container_start_time_seconds", false)
	if _, found := labels[label]; found || labels["name"] != "web" {
		t.Errorf("without labels: %v", labels)
	}
}

func TestMachine(t *testing.T) {
	labelsOf(t, "machine_cpu_cores", false)
}
