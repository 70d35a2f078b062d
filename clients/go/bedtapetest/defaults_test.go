package bedtapetest_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
)

func askWithDefaults(t *testing.T, prompt string) string {
	t.Helper()
	loaded, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, loaded, prompt)
}
