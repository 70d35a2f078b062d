// Package services reads answers of rules with the AWS SDK for Go. tests/clients/test_go.py starts the server.
package services

import (
	"context"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentruntime/types"
)

func client() *bedrockagentruntime.Client {
	return bedrockagentruntime.New(bedrockagentruntime.Options{
		Region:           "us-east-1",
		BaseEndpoint:     aws.String(os.Getenv("AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME")),
		Credentials:      credentials.NewStaticCredentialsProvider("bedtape", "bedtape", ""),
		RetryMaxAttempts: 1,
	})
}

func TestRetrieve(t *testing.T) {
	output, err := client().Retrieve(context.Background(), &bedrockagentruntime.RetrieveInput{
		KnowledgeBaseId: aws.String("KB00000001"),
		RetrievalQuery:  &types.KnowledgeBaseQuery{Text: aws.String("hours")},
	})
	if err != nil {
		t.Fatal(err)
	}
	found := output.RetrievalResults[0]
	if *found.Content.Text != "Nine to five." || *found.Location.S3Location.Uri != "s3://a/b" {
		t.Fatalf("unexpected passage: %+v", found)
	}
}

func TestInvokeAgent(t *testing.T) {
	output, err := client().InvokeAgent(context.Background(), &bedrockagentruntime.InvokeAgentInput{
		AgentId:      aws.String("ABCDEFGHIJ"),
		AgentAliasId: aws.String("TSTALIASID"),
		SessionId:    aws.String("one"),
		InputText:    aws.String("agent"),
	})
	if err != nil {
		t.Fatal(err)
	}
	stream := output.GetStream()
	defer stream.Close()
	text := ""
	for event := range stream.Events() {
		if chunk, ok := event.(*types.ResponseStreamMemberChunk); ok {
			text += string(chunk.Value.Bytes)
		}
	}
	if text != "Hello." || stream.Err() != nil {
		t.Fatalf("unexpected text %q, error %v", text, stream.Err())
	}
}
