package services

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
)

var keys = credentials.NewStaticCredentialsProvider("bedtape", "bedtape", "")

func endpoint(variable string) *string {
	return aws.String(os.Getenv("AWS_ENDPOINT_URL_" + variable))
}

func TestListGuardrails(t *testing.T) {
	client := bedrock.New(bedrock.Options{
		Region: "us-east-1", BaseEndpoint: endpoint("BEDROCK"), Credentials: keys, RetryMaxAttempts: 1,
	})
	output, err := client.ListGuardrails(context.Background(), &bedrock.ListGuardrailsInput{})
	if err != nil || len(output.Guardrails) != 0 {
		t.Fatalf("unexpected guardrails: %+v, error %v", output, err)
	}
}

func TestGetAgent(t *testing.T) {
	client := bedrockagent.New(bedrockagent.Options{
		Region: "us-east-1", BaseEndpoint: endpoint("BEDROCK_AGENT"), Credentials: keys, RetryMaxAttempts: 1,
	})
	output, err := client.GetAgent(context.Background(), &bedrockagent.GetAgentInput{AgentId: aws.String("ABCDEFGHIJ")})
	if err != nil || *output.Agent.AgentName != "helper" {
		t.Fatalf("unexpected agent: %+v, error %v", output, err)
	}
}

func TestInvokeAgentRuntime(t *testing.T) {
	client := bedrockagentcore.New(bedrockagentcore.Options{
		Region: "us-east-1", BaseEndpoint: endpoint("BEDROCK_AGENTCORE"), Credentials: keys, RetryMaxAttempts: 1,
	})
	session := "0123456789-0123456789-0123456789-0123"
	output, err := client.InvokeAgentRuntime(context.Background(), &bedrockagentcore.InvokeAgentRuntimeInput{
		AgentRuntimeArn:  aws.String("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/abc-1234567890"),
		RuntimeSessionId: aws.String(session),
		Payload:          []byte(`{"prompt":"runtime"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer output.Response.Close()
	text, err := io.ReadAll(output.Response)
	if string(text) != `{"answer":1}` || *output.RuntimeSessionId != session || err != nil {
		t.Fatalf("unexpected answer %s of session %s, error %v", text, *output.RuntimeSessionId, err)
	}
}

func TestGetAgentRuntime(t *testing.T) {
	client := bedrockagentcorecontrol.New(bedrockagentcorecontrol.Options{
		Region: "us-east-1", BaseEndpoint: endpoint("BEDROCK_AGENTCORE_CONTROL"), Credentials: keys, RetryMaxAttempts: 1,
	})
	input := &bedrockagentcorecontrol.GetAgentRuntimeInput{AgentRuntimeId: aws.String("abc-1234567890")}
	output, err := client.GetAgentRuntime(context.Background(), input)
	if err != nil || *output.AgentRuntimeName != "helper" {
		t.Fatalf("unexpected runtime: %+v, error %v", output, err)
	}
}
