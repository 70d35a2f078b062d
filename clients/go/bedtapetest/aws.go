package bedtapetest

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Config returns the configuration for clients of bedrock-runtime: the session's endpoint, made-up
// credentials, and retries that do not wait. It reads no files and no variables of the AWS SDK but
// the region.
func (s *Session) Config() aws.Config {
	return s.ConfigFor("bedrock-runtime")
}

// ConfigFor returns the configuration for clients of another service: bedrock-agent-runtime.
func (s *Session) ConfigFor(service string) aws.Config {
	s.fast = true
	return aws.Config{
		Region:       region(),
		BaseEndpoint: aws.String(s.endpoint(service)),
		Credentials:  aws.CredentialsProviderFunc(s.credentials),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(noDelay)
			})
		},
	}
}

// Setenv points the AWS SDK at the session by environment variables until the test ends, for code
// that loads its own configuration. The test cannot be parallel, and retries wait.
func (s *Session) Setenv() {
	for variable, service := range map[string]string{
		"AWS_ENDPOINT_URL_BEDROCK_RUNTIME":       "bedrock-runtime",
		"AWS_ENDPOINT_URL_BEDROCK":               "bedrock",
		"AWS_ENDPOINT_URL_BEDROCK_AGENT":         "bedrock-agent",
		"AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": "bedrock-agent-runtime",
		"AWS_ENDPOINT_URL_BEDROCK_AGENTCORE":     "bedrock-agentcore",
	} {
		s.t.Setenv(variable, s.endpoint(service))
	}
	for variable, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":                   "bedtape",
		"AWS_SECRET_ACCESS_KEY":               "bedtape",
		"AWS_SESSION_TOKEN":                   s.server.token,
		"AWS_PROFILE":                         "",
		"AWS_BEARER_TOKEN_BEDROCK":            "",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
		"AWS_REGION":                          region(),
	} {
		s.t.Setenv(variable, value)
	}
}

func noDelay(int, error) (time.Duration, error) { return 0, nil }

func (s *Session) endpoint(service string) string {
	if service == "bedrock-runtime" {
		return s.URL
	}
	return s.URL + "/service/" + service
}

func region() string {
	for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if value := os.Getenv(variable); value != "" {
			return value
		}
	}
	return "us-east-1"
}

// credentials returns made-up keys. The session token chooses the namespace of the server.
func (s *Session) credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID:     "bedtape",
		SecretAccessKey: "bedtape",
		SessionToken:    s.server.token,
	}, nil
}
