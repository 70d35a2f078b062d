package bearer

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

// TestDefaultRetries asks each prompt of the variable PROMPTS once, with the SDK's default
// configuration. tests/clients/test_retries.py counts the attempts.
func TestDefaultRetries(t *testing.T) {
	prompts := os.Getenv("PROMPTS")
	if prompts == "" {
		t.Skip("PROMPTS is not set")
	}
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, prompt := range strings.Split(prompts, ",") {
		answer, err := bedrockruntime.NewFromConfig(settings).Converse(ctx, &bedrockruntime.ConverseInput{
			ModelId: aws.String("us.amazon.nova-lite-v1:0"),
			Messages: []types.Message{{
				Role:    types.ConversationRoleUser,
				Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: prompt}},
			}},
		})
		if err != nil {
			t.Logf("%s: %v", prompt, err)
			continue
		}
		message := answer.Output.(*types.ConverseOutputMemberMessage).Value
		t.Log(message.Content[0].(*types.ContentBlockMemberText).Value)
	}
}
