// Package containers starts bedtape's image for all tests of a package.
package containers

import (
	"context"
	"log"
	"os"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

func TestMain(m *testing.M) {
	ctx := context.Background()
	token := "a-token-for-tests"
	container, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        "bedtape",
			ExposedPorts: []string{"4566/tcp"},
			Env:          map[string]string{"BEDTAPE_CONTROL_TOKEN": token},
			WaitingFor:   wait.ForHealthCheck(),
		},
		Started: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	url, err := container.PortEndpoint(ctx, "4566/tcp", "http")
	if err != nil {
		log.Fatal(err)
	}
	os.Setenv("BEDTAPE_URL", url)
	os.Setenv("BEDTAPE_CONTROL_TOKEN", token)
	code := m.Run()
	if err := container.Terminate(ctx); err != nil {
		log.Print(err)
	}
	os.Exit(code)
}
