package docker

import "testing"

// TestNames checks names of the npm package that differ from what the bridge derives, and one that does not.
func TestNames(t *testing.T) {
	info := Provider()
	for name, want := range map[string]string{
		"docker_config":    "docker:index/serviceConfig:ServiceConfig",
		"docker_container": "docker:index/container:Container",
		"docker_image":     "docker:index/remoteImage:RemoteImage",
		"docker_volume":    "docker:index/volume:Volume",
	} {
		if found := info.Resources[name]; found == nil || found.Tok.String() != want {
			t.Errorf("%s: %v, want %s", name, found, want)
		}
	}
	if info.Resources["docker_image"].Fields["name"].Default != nil {
		t.Error("an image's name would be made up")
	}
	if info.Resources["docker_volume"].Fields["name"].Default == nil {
		t.Error("a volume's name would not be made up")
	}
}
