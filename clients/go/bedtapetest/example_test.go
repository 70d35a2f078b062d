package bedtapetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"github.example/bedtape/bedtape/clients/go/bedtapetest"
)

// summarize is the code under test: it collects a stream, and asks a second model if the first one
// breaks off.
func summarize(client *bedrockruntime.Client, text string) (summary string, err error) {
	for _, model := range []string{"us.anthropic.claude-sonnet-4-5-20250929-v1:0", nova} {
		if summary, err = stream(client, model, "Summarize: "+text); err == nil {
			return summary, nil
		}
	}
	return "", err
}

func stream(client *bedrockruntime.Client, model, prompt string) (string, error) {
	content := []types.ContentBlock{&types.ContentBlockMemberText{Value: prompt}}
	output, err := client.ConverseStream(context.Background(), &bedrockruntime.ConverseStreamInput{
		ModelId:  aws.String(model),
		Messages: []types.Message{{Role: types.ConversationRoleUser, Content: content}},
	})
	if err != nil {
		return "", err
	}
	events := output.GetStream()
	defer events.Close()
	text, ended := "", false
	for event := range events.Events() {
		switch event := event.(type) {
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			text += event.Value.Delta.(*types.ContentBlockDeltaMemberText).Value
		case *types.ConverseStreamOutputMemberMessageStop:
			ended = true
		}
	}
	if err := events.Err(); err != nil || ended {
		return text, err
	}
	return "", errors.New("the stream ended early")
}

func TestASecondModelTakesOverAfterACut(t *testing.T) {
	bedrock := bedtapetest.New(t)
	bedrock.Respond(bedtapetest.When{PromptContains: "Summarize"}, bedtapetest.Text("All is well."))
	bedrock.AddFault(bedtapetest.Fault{
		When:     bedtapetest.When{Model: "*claude*"},
		Truncate: &bedtapetest.Truncate{AfterEvents: bedtapetest.Ptr(3)},
	})
	summary, err := summarize(bedrockruntime.NewFromConfig(bedrock.Config()), "a long letter")
	if err != nil || summary != "All is well." {
		t.Errorf("found %q, error %v", summary, err)
	}
	bedrock.AssertSequence(
		bedtapetest.Conditions{Model: "*claude*", Operation: []string{"ConverseStream"}},
		bedtapetest.Conditions{Model: "*nova*", StopReason: "end_turn"},
	)
}
