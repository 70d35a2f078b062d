// Package bedtapetest tests code that calls Amazon Bedrock against a bedtape server: each test has
// a session with its own rules, faults and calls.
//
//	bedrock := bedtapetest.New(t)
//	bedrock.Respond(bedtapetest.When{PromptContains: "spam"}, bedtapetest.Text("yes"))
//	client := bedrockruntime.NewFromConfig(bedrock.Config())
//
// The server is the one that `bedtape run -- go test ./...` starts and names in BEDTAPE_URL.
// Without the variable, the first test starts the server, which ends with the test process.
package bedtapetest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// Null is a value for conditions that match calls without the value: Conditions{Error: Null}.
var Null = json.RawMessage("null")

// Session is what one test has of the server. A method that the server refuses fails the test at
// once. A failed assertion fails the test, and the test goes on.
type Session struct {
	Name string // The name of the session: the package's path in the module, and the test's name.
	URL  string // The endpoint for clients of bedrock-runtime.

	// AllowMisses keeps a call that nothing answers, or a script that does not end, from failing
	// the test.
	AllowMisses bool

	t      testing.TB
	server *server
	path   string
	fast   bool
}

// New returns the session of a test. When the test ends, it fails if a call had no answer or a
// script did not end, logs the calls if it failed, and deletes the session.
func New(t testing.TB) *Session {
	t.Helper()
	server, err := find()
	if err != nil {
		t.Fatal(err)
	}
	name := packageName() + "." + t.Name()
	part := url.PathEscape(name)
	s := &Session{Name: name, URL: server.url + "/s/" + part, t: t, server: server}
	s.path = "/_bedtape/sessions/" + part
	s.send("DELETE", s.path, nil, nil) // A run that was killed may have left it.
	t.Cleanup(s.end)
	return s
}

func packageName() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "test"
	}
	name := strings.TrimSuffix(info.Path, ".test")
	if within, ok := strings.CutPrefix(name, info.Main.Path+"/"); ok {
		return within
	}
	return path.Base(name)
}

func (s *Session) end() {
	s.t.Helper()
	var summary Summary
	s.send("GET", s.path+"/summary", nil, &summary)
	if !s.AllowMisses {
		for _, problem := range summary.Problems {
			s.t.Error(problem)
		}
	}
	if s.t.Failed() {
		s.t.Log("bedtape: " + summary.Text)
	}
	s.send("DELETE", s.path, nil, nil)
}

// Text is an answer with this text.
func Text(text string) Answer { return Answer{Text: &text} }

// JSON is an answer with a JSON value: the input of the tool that the request forces the model to
// call, otherwise text.
func JSON(value any) Answer { return Answer{JSON: value} }

// Ptr returns a pointer to a value, for members that can be absent.
func Ptr[T any](value T) *T { return &value }

// Respond adds a rule: calls that meet the conditions get the answers in turn, and the last answer
// again. It returns the rule's name.
func (s *Session) Respond(when When, answers ...Answer) string {
	s.t.Helper()
	return s.AddRule(Rule{When: when, Answers: answers})
}

// Fail adds an error as the answer to this many calls, and returns the fault's name.
func (s *Session) Fail(name string, times int) string {
	s.t.Helper()
	return s.AddFault(Fault{Error: name, Times: times})
}

// AddRule adds a rule and returns its name. The first rule that matches a call answers it.
func (s *Session) AddRule(rule Rule) string {
	s.t.Helper()
	return s.add("/rules", rule)
}

// AddFault adds a fault and returns its name. A fault has exactly one kind.
func (s *Session) AddFault(fault Fault) string {
	s.t.Helper()
	return s.add("/faults", fault)
}

func (s *Session) add(kind string, layer any) string {
	s.t.Helper()
	var named struct{ Name string }
	s.send("POST", s.path+kind, layer, &named)
	return named.Name
}

// SetOverlay replaces the session's rules and faults, and sets its seed.
func (s *Session) SetOverlay(overlay Overlay) {
	s.t.Helper()
	overlay.BedtapeOverlay = 1
	s.send("PUT", s.path+"/overlay", overlay, nil)
}

// Layers returns the rules and faults, also those of the server's overlay file.
func (s *Session) Layers() (layers Layers) {
	s.t.Helper()
	s.send("GET", s.path+"/overlay", nil, &layers)
	return layers
}

// Remove removes a rule or fault by its name.
func (s *Session) Remove(name string) {
	s.t.Helper()
	s.send("DELETE", s.path+"/layers/"+url.PathEscape(name), nil, nil)
}

// Unused returns the rules and faults that did not act: rule-2 (prompt_contains="refund").
func (s *Session) Unused() (unused []string) {
	s.t.Helper()
	s.send("GET", s.path+"/unused", nil, &unused)
	return unused
}

// Unplayed returns the files of the recordings that no call played.
func (s *Session) Unplayed() (files []string) {
	s.t.Helper()
	s.send("GET", s.path+"/unplayed", nil, &files)
	return files
}

// Calls returns the calls in the order in which they ended.
func (s *Session) Calls() []Call {
	s.t.Helper()
	var page struct{ Calls []Call }
	s.send("GET", s.path+"/calls?limit=1000000000", nil, &page)
	return page.Calls
}

// AssertCalled fails the test if the number of calls that meet the conditions is not as it should
// be: at least 1 call, without Times, AtLeast and AtMost.
func (s *Session) AssertCalled(calls Counted) bool {
	s.t.Helper()
	return s.assert("called", calls)
}

// AssertNotCalled fails the test if a call meets the conditions.
func (s *Session) AssertNotCalled(conditions Conditions) bool {
	s.t.Helper()
	return s.assert("not_called", conditions)
}

// AssertSequence fails the test unless calls meet the steps in this order.
func (s *Session) AssertSequence(steps ...Conditions) bool {
	s.t.Helper()
	return s.assert("sequence", steps)
}

// AssertConsecutive fails the test unless calls meet the steps in this order, without other calls
// between them.
func (s *Session) AssertConsecutive(steps ...Conditions) bool {
	s.t.Helper()
	return s.assert("consecutive", steps)
}

// AssertCached fails the test unless a call that meets the conditions read so many tokens from a
// prompt cache.
func (s *Session) AssertCached(atLeastTokens int, conditions Conditions) bool {
	s.t.Helper()
	return s.assert("cached", struct {
		Conditions
		AtLeastTokens int `json:"at_least_tokens"`
	}{conditions, atLeastTokens})
}

// AssertAllPlayed fails the test if a recording was not played.
func (s *Session) AssertAllPlayed() bool {
	s.t.Helper()
	return s.assert("all_played", true)
}

// AssertAllUsed fails the test if a rule or fault of the session did not act.
func (s *Session) AssertAllUsed() bool {
	s.t.Helper()
	return s.assert("all_used", true)
}

func (s *Session) assert(kind string, expected any) bool {
	s.t.Helper()
	var result struct {
		Passed bool
		Report string
	}
	s.send("POST", s.path+"/assert", map[string]any{kind: expected}, &result)
	if !result.Passed {
		s.t.Error(result.Report)
	}
	return result.Passed
}

// Verdict returns the mistakes that the client made in retrying, without findings about waits if
// the test has called Config, because its clients do not wait.
func (s *Session) Verdict() []Finding {
	s.t.Helper()
	var all, findings []Finding
	s.send("GET", s.path+"/verdict", nil, &all)
	for _, finding := range all {
		isWait := finding.Kind == "no_backoff" || finding.Kind == "ignored_retry_after"
		if !s.fast || !isWait {
			findings = append(findings, finding)
		}
	}
	return findings
}

// Simulate chooses the features of the service to simulate, and drops the earlier features.
func (s *Session) Simulate(features Simulate) {
	s.t.Helper()
	s.send("PUT", s.path+"/simulate", features, nil)
}

// Set chooses the cassette to play, and whether each recording is played once.
func (s *Session) Set(settings Settings) {
	s.t.Helper()
	s.send("PUT", s.path, settings, nil)
}

// Advance advances the virtual clock, by which quotas count. All sessions share the clock.
func (s *Session) Advance(by time.Duration) {
	s.t.Helper()
	s.send("POST", "/_bedtape/clock", map[string]any{"advance": by.Seconds()}, nil)
}

// Reset removes the session's rules, faults, positions and calls.
func (s *Session) Reset() {
	s.t.Helper()
	s.send("POST", s.path+"/reset", nil, nil)
}

// send sends a request of the control API, and decodes the answer into result if it is not nil.
func (s *Session) send(method, path string, body, result any) {
	s.t.Helper()
	if err := s.server.send(method, path, body, result); err != nil {
		s.t.Fatal(fmt.Errorf("bedtape: %w", err))
	}
}
