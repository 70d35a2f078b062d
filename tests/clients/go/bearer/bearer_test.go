// Package bearer calls Converse with nothing but the environment. tests/clients/test_tls.py runs it by `bedtape run`.
package bearer

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

func TestConverse(t *testing.T) {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	output, err := bedrockruntime.NewFromConfig(settings).Converse(ctx, &bedrockruntime.ConverseInput{
		ModelId: aws.String("amazon.nova-lite-v1:0"),
		Messages: []types.Message{{
			Role:    types.ConversationRoleUser,
			Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: "hi"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	message := output.Output.(*types.ConverseOutputMemberMessage).Value
	if text := message.Content[0].(*types.ContentBlockMemberText).Value; text != "by a rule" {
		t.Fatalf("unexpected text: %s", text)
	}
}
