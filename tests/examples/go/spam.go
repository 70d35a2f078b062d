// Package spam files mail: a model says whether it is spam, and a person looks at what the model is unsure of.
package spam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"
)

const sure = 0.8

var (
	// The better one first; the cheaper one answers where that is dead.
	models = []string{"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-lite-v1:0"}
	dead   = []string{"ModelErrorException", "ResourceNotFoundException", "ServiceUnavailableException"}
)

// NewClient makes a client that waits between attempts. Options are applied last.
func NewClient(ctx context.Context, options ...func(*bedrockruntime.Options)) (*bedrockruntime.Client, error) {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 3
			o.MaxBackoff = time.Second
		})
	}))
	if err != nil {
		return nil, err
	}
	return bedrockruntime.NewFromConfig(settings, options...), nil
}

// File says where a mail goes: inbox, spam or review.
func File(ctx context.Context, client *bedrockruntime.Client, mail string) (string, error) {
	answer, err := ask(ctx, client, "Please classify spam: answer {\"label\", \"confidence\"}.\n\n"+mail)
	if err != nil {
		return "", err
	}
	switch label, confidence := read(answer); {
	case confidence < sure:
		return "review", nil
	case label == "spam":
		return "spam", nil
	default:
		return "inbox", nil
	}
}

func ask(ctx context.Context, client *bedrockruntime.Client, prompt string) (string, error) {
	var failed error
	for _, model := range models {
		answer, err := client.Converse(ctx, &bedrockruntime.ConverseInput{
			ModelId: aws.String(model),
			Messages: []types.Message{{
				Role:    types.ConversationRoleUser,
				Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: prompt}},
			}},
		})
		if err == nil {
			return textOf(answer)
		}
		var refused smithy.APIError
		if !errors.As(err, &refused) || !slices.Contains(dead, refused.ErrorCode()) {
			return "", err
		}
		failed = err
	}
	return "", failed
}

func textOf(answer *bedrockruntime.ConverseOutput) (string, error) {
	said, ok := answer.Output.(*types.ConverseOutputMemberMessage)
	if !ok {
		return "", fmt.Errorf("expected a message, found %T", answer.Output)
	}
	var text strings.Builder
	for _, block := range said.Value.Content {
		if part, ok := block.(*types.ContentBlockMemberText); ok {
			text.WriteString(part.Value)
		}
	}
	return text.String(), nil
}

// read gives what the model said; what cannot be read is nothing to be sure of.
func read(answer string) (label string, confidence float64) {
	var told struct {
		Label      string  `json:"label"`
		Confidence float64 `json:"confidence"`
	}
	start, end := strings.Index(answer, "{"), strings.LastIndex(answer, "}")
	if start < 0 || end < start || json.Unmarshal([]byte(answer[start:end+1]), &told) != nil {
		return "", 0
	}
	if told.Label != "spam" && told.Label != "ham" {
		return "", 0
	}
	return told.Label, told.Confidence
}
