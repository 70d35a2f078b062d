package spam

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
)

// Three attempts, and no wait between them.
var retryFast = retry.NewStandard(func(o *retry.StandardOptions) {
	o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
})

const win = "You have won! Send us your card number."

func check(t *testing.T, s session, mail, folder string) {
	t.Helper()
	client, err := NewClient(context.Background(), func(o *bedrockruntime.Options) {
		o.BaseEndpoint = aws.String(s.endpoint)
		o.Retryer = retryFast
	})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := File(context.Background(), client, mail); found != folder || err != nil {
		t.Errorf("expected %q in %s, found it in %q (%v)", mail, folder, found, err)
	}
}

func TestMailGoesWhereTheModelSays(t *testing.T) {
	s := newSession(t)
	s.rule(`{"when": {"prompt_contains": "card number"}, "answer": {"json": {"label": "spam", "confidence": 0.98}}}`)
	s.rule(`{"when": {"prompt_contains": "Lunch"}, "answer": {"json": {"label": "ham", "confidence": 0.93}}}`)
	check(t, s, win, "spam")
	check(t, s, "Lunch at noon?", "inbox")
	s.assertCalled(`{"prompt_contains": "classify spam", "times": 2}`)
}

func TestAPersonLooksAtWhatIsBorderlineOrCannotBeRead(t *testing.T) {
	s := newSession(t)
	s.rule(`{"answers": [{"json": {"label": "spam", "confidence": 0.55}}, {"text": "I cannot say."}]}`)
	check(t, s, win, "review")
	check(t, s, win, "review")
}

func TestThrottledTwiceItBacksOffAndFilesTheMail(t *testing.T) {
	s := newSession(t)
	s.rule(`{"when": {"prompt_contains": "classify spam"}, "answer": {"json": {"label": "spam", "confidence": 0.98}}}`)
	s.fault(`{"error": "ThrottlingException", "times": 2}`)
	check(t, s, win, "spam")
	if found := s.statuses(); !slices.Equal(found, []int{429, 429, 200}) {
		t.Errorf("expected three calls, two of them throttled; found %v", found)
	}
}

func TestWhereAModelIsDeadACheaperOneAnswers(t *testing.T) {
	s := newSession(t)
	s.rule(`{"answer": {"json": {"label": "spam", "confidence": 0.9}}}`)
	s.fault(`{"error": "ServiceUnavailableException", "when": {"model": "*claude*"}}`)
	check(t, s, win, "spam")
	s.assertCalled(`{"model": "*claude*", "status": 503, "times": 3}`)
	s.assertCalled(`{"model": "*nova*", "status": 200, "times": 1}`)
}
