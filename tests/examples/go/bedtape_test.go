package spam

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"
)

// A session of the server that `bedtape run -- go test ./...` started: this test's own rules, faults and history.
type session struct {
	t              *testing.T
	endpoint, desk string
}

func newSession(t *testing.T) session {
	t.Helper()
	server, name := os.Getenv("BEDTAPE_URL"), url.PathEscape(t.Name())
	if server == "" {
		t.Fatal("expected BEDTAPE_URL, found none: run the tests as `bedtape run -- go test ./...`")
	}
	s := session{t, server + "/s/" + name, server + "/_bedtape/sessions/" + name}
	t.Cleanup(func() { s.ask("DELETE", "", "", nil) })
	return s
}

// ask sends JSON to the control API; docs/reference/control.md has all that it takes.
func (s session) ask(method, path, body string, answer any) {
	s.t.Helper()
	request, err := http.NewRequest(method, s.desk+path, bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	told, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %v %s %s", method, path, err, response.Status, told)
	}
	if answer != nil {
		if err := json.Unmarshal(told, answer); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s session) rule(document string)  { s.t.Helper(); s.ask("POST", "/rules", document, nil) }
func (s session) fault(document string) { s.t.Helper(); s.ask("POST", "/faults", document, nil) }

// assertCalled fails the test with the server's report, unless there were such calls.
func (s session) assertCalled(conditions string) {
	s.t.Helper()
	var verdict struct {
		Passed bool
		Report string
	}
	if s.ask("POST", "/assert", `{"called": `+conditions+`}`, &verdict); !verdict.Passed {
		s.t.Error(verdict.Report)
	}
}

func (s session) statuses() []int {
	s.t.Helper()
	var page struct{ Calls []struct{ Status int } }
	s.ask("GET", "/calls", "", &page)
	var statuses []int
	for _, call := range page.Calls {
		statuses = append(statuses, call.Status)
	}
	return statuses
}
