package bedtapetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"

	"github.example/bedtape/bedtape/clients/go/bedtapetest"
)

const nova = "us.amazon.nova-lite-v1:0"

// ask returns the text of an answer, or the code of the error.
func ask(t *testing.T, config aws.Config, prompt string) string {
	t.Helper()
	content := []types.ContentBlock{&types.ContentBlockMemberText{Value: prompt}}
	client := bedrockruntime.NewFromConfig(config)
	output, err := client.Converse(context.Background(), &bedrockruntime.ConverseInput{
		ModelId:  aws.String(nova),
		Messages: []types.Message{{Role: types.ConversationRoleUser, Content: content}},
	})
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	said := output.Output.(*types.ConverseOutputMemberMessage).Value.Content
	return said[0].(*types.ContentBlockMemberText).Value
}

func equal[T any](t *testing.T, actual, expected T) {
	t.Helper()
	if fmt.Sprint(actual) != fmt.Sprint(expected) {
		t.Errorf("expected %v, found %v", expected, actual)
	}
}

func TestRulesAnswer(t *testing.T) {
	t.Parallel()
	bedrock := bedtapetest.New(t)
	t.Log(bedrock.URL)
	spam := bedtapetest.When{PromptContains: "spam"}
	equal(t, bedrock.Respond(spam, bedtapetest.JSON(map[string]any{"label": "spam"})), "rule-1")
	bedrock.AddRule(bedtapetest.Rule{
		Name: "judge",
		When: bedtapetest.When{
			AnyOf: []bedtapetest.When{{PromptContains: "a"}, {PromptContains: "b"}},
		},
		Answers: []bedtapetest.Answer{bedtapetest.Text("one"), bedtapetest.Text("two")},
		Times:   2,
	})
	cut := bedtapetest.Answer{StopReason: "max_tokens", Text: bedtapetest.Ptr("cut")}
	bedrock.Respond(bedtapetest.When{}, cut)
	expected := [][2]string{{"spam", `{"label":"spam"}`}, {"a", "one"}, {"b", "two"}, {"a", "cut"}}
	for _, each := range expected {
		equal(t, ask(t, bedrock.Config(), each[0]), each[1])
	}
	bedrock.AssertCalled(bedtapetest.Counted{By: "judge", Times: 2})
	bedrock.AssertAllUsed()
	calls := bedrock.Calls()
	equal(t, calls[3].Text, "cut")
	equal(t, calls[3].StopReason, "max_tokens")
	equal(t, calls[3].Temperature, nil)
}

func TestACacheIsSimulatedAndAsserted(t *testing.T) {
	t.Parallel()
	bedrock := bedtapetest.New(t)
	bedrock.Respond(bedtapetest.When{}, bedtapetest.Text("fine"))
	bedrock.Simulate(bedtapetest.Simulate{
		Caching: bedtapetest.Caching{Automatic: true, MinimumTokens: 1},
	})
	for range 2 {
		ask(t, bedrock.Config(), strings.Repeat("a long question ", 100))
	}
	bedrock.AssertCached(128, bedtapetest.Conditions{PromptContains: "long question"})
}

func TestFaultsAreRetriedWithoutWaiting(t *testing.T) {
	t.Parallel()
	bedrock := bedtapetest.New(t)
	bedrock.Respond(bedtapetest.When{}, bedtapetest.Text("at last"))
	equal(t, bedrock.Fail("ThrottlingException", 2), "fault-1")
	bedrock.AddFault(bedtapetest.Fault{Latency: &bedtapetest.Latency{FirstByteMS: 1}, Times: 1})
	equal(t, ask(t, bedrock.Config(), "hi"), "at last")
	statuses := []int{}
	for _, call := range bedrock.Calls() {
		statuses = append(statuses, call.Status)
	}
	equal(t, statuses, []int{429, 429, 200})
	bedrock.AssertCalled(bedtapetest.Counted{Status: 429, Error: "ThrottlingException", Times: 2})
	bedrock.AssertNotCalled(bedtapetest.Conditions{Error: bedtapetest.Null, Status: 429})
	throttled := bedtapetest.Conditions{Status: 429}
	bedrock.AssertSequence(throttled, bedtapetest.Conditions{Status: 200})
	bedrock.AssertConsecutive(throttled, throttled, bedtapetest.Conditions{Error: bedtapetest.Null})
	equal(t, len(bedrock.Verdict()), 0)
}

func TestTheVerdictNamesMistakes(t *testing.T) {
	t.Parallel()
	bedrock := bedtapetest.New(t)
	bedrock.Fail("ValidationException", 1)
	bedrock.Respond(bedtapetest.When{}, bedtapetest.Text("valid"))
	config := bedrock.Config()
	patient := config.Retryer()
	config.Retryer = func() aws.Retryer {
		return retry.AddWithErrorCodes(patient, "ValidationException")
	}
	equal(t, ask(t, config, "hi"), "valid")
	kinds := []string{}
	for _, finding := range bedrock.Verdict() {
		kinds = append(kinds, finding.Kind)
	}
	equal(t, kinds, []string{"retried_what_it_must_not"})
}

func TestLayersCassettesAndTheClock(t *testing.T) {
	t.Parallel()
	bedrock := bedtapetest.New(t)
	bedrock.SetOverlay(bedtapetest.Overlay{
		Seed:   7,
		Rules:  []bedtapetest.Rule{{Name: "hi", Answer: bedtapetest.Text("rule")}},
		Faults: []bedtapetest.Fault{{Name: "limit", Quota: &bedtapetest.Quota{RequestsPerMinute: 1}}},
	})
	config := bedrock.Config()
	config.RetryMaxAttempts = 1
	equal(t, ask(t, config, "a"), "rule")
	equal(t, ask(t, config, "b"), "ThrottlingException")
	bedrock.Advance(time.Minute)
	equal(t, ask(t, config, "c"), "rule")
	layers := bedrock.Layers()
	equal(t, layers.Seed, 7)
	equal(t, layers.Rules[0].Fired, 2)
	equal(t, layers.Faults[0].Quota.RequestsPerMinute, 1)
	bedrock.Remove("hi")
	bedrock.Remove("limit")

	bedrock.Set(bedtapetest.Settings{Cassette: "hello", Strict: true})
	equal(t, len(bedrock.Unplayed()), 2)
	bedrock.Respond(bedtapetest.When{PromptContains: "never"}, bedtapetest.Text("no"))
	equal(t, bedrock.Unused(), []string{`rule-1 (prompt_contains="never")`})
	bedrock.Reset()
	equal(t, len(bedrock.Calls()), 0)
	equal(t, len(bedrock.Unused()), 0)
}

func TestASessionIsNamedByPackageAndTest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b/ä#%?", "a+b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bedrock := bedtapetest.New(t)
			bedrock.Respond(bedtapetest.When{}, bedtapetest.Text("own"))
			equal(t, ask(t, bedrock.Config(), "hi"), "own")
			expected := "bedtapetest.TestASessionIsNamedByPackageAndTest/" + strings.ReplaceAll(name, " ", "_")
			equal(t, bedrock.Calls()[0].Session, expected)
		})
	}
}

func TestCodeThatLoadsItsOwnConfiguration(t *testing.T) {
	bedrock := bedtapetest.New(t)
	bedrock.Setenv()
	bedrock.Respond(bedtapetest.When{}, bedtapetest.Text("found"))
	equal(t, askWithDefaults(t, "hi"), "found")
}

// inner is a test whose end and failures the test sees.
type inner struct {
	testing.TB
	failures, logs []string
	cleanups       []func()
}

type fatal struct{ message string }

func (t *inner) Name() string     { return t.TB.Name() + "/inner" }
func (t *inner) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *inner) Error(all ...any) { t.failures = append(t.failures, fmt.Sprint(all...)) }
func (t *inner) Log(all ...any)   { t.logs = append(t.logs, fmt.Sprint(all...)) }
func (t *inner) Failed() bool     { return len(t.failures) > 0 }
func (t *inner) Fatal(all ...any) { panic(fatal{fmt.Sprint(all...)}) }
func (t *inner) Helper()          {}
func (t *inner) run(f func(testing.TB)) (failures, logs []string) {
	defer func() {
		for _, cleanup := range slices.Backward(t.cleanups) {
			cleanup()
		}
		failures, logs = t.failures, t.logs
	}()
	defer func() {
		if stop, ok := recover().(fatal); ok {
			t.failures = append(t.failures, stop.message)
		}
	}()
	f(t)
	return
}

func TestAFailureShowsTheCalls(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]struct {
		body     func(bedrock *bedtapetest.Session)
		failures []string
		log      string
	}{
		"nothing": {func(*bedtapetest.Session) {}, nil, ""},
		"assertion": {func(bedrock *bedtapetest.Session) {
			bedrock.Respond(bedtapetest.When{}, bedtapetest.Text("yes"))
			ask(t, bedrock.Config(), "spam?")
			bedrock.AssertNotCalled(bedtapetest.Conditions{})
		}, []string{"Expected no call"}, `"spam?" → "yes"`},
		"miss": {func(bedrock *bedtapetest.Session) {
			ask(t, bedrock.Config(), "spam?")
		}, []string{"spam?"}, "no answer found"},
		"allowed miss": {func(bedrock *bedtapetest.Session) {
			bedrock.AllowMisses = true
			ask(t, bedrock.Config(), "spam?")
		}, nil, ""},
		"script": {func(bedrock *bedtapetest.Session) {
			turn := bedtapetest.ScriptTurn{Answer: bedtapetest.Text("one")}
			bedrock.AddRule(bedtapetest.Rule{Script: []bedtapetest.ScriptTurn{turn, turn}})
			equal(t, ask(t, bedrock.Config(), "spam?"), "one")
		}, []string{"script-1 (1 of 2 turns came)"}, "1 call:"},
		"refusal": {func(bedrock *bedtapetest.Session) {
			bedrock.AddFault(bedtapetest.Fault{Times: -1})
		}, []string{"status 400: "}, "0 calls"},
		"unplayed": {func(bedrock *bedtapetest.Session) {
			bedrock.Set(bedtapetest.Settings{Cassette: "hello"})
			bedrock.AssertAllPlayed()
		}, []string{"found 2 unplayed"}, "0 calls"},
	} {
		t.Run(name, func(t *testing.T) {
			test := inner{TB: t}
			failures, logs := test.run(func(t testing.TB) { each.body(bedtapetest.New(t)) })
			if len(failures) != len(each.failures) {
				t.Fatalf("expected failures %v, found %v", each.failures, failures)
			}
			for number, failure := range failures {
				if !strings.Contains(failure, each.failures[number]) {
					t.Errorf("expected %q in %q", each.failures[number], failure)
				}
			}
			if each.log != "" && !strings.Contains(strings.Join(logs, "\n"), each.log) || each.log == "" && logs != nil {
				t.Errorf("expected a log with %q, found %v", each.log, logs)
			}
		})
	}
}
