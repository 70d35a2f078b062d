package bedtapetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// server is a bedtape server. token: what its control API requires, if it requires anything.
// process: the program that runs it, whose pipes stay open as long as this value is in use.
type server struct {
	url, token string
	process    *exec.Cmd
}

// find returns the server of the process, which the first call starts if no variable names one.
var find = sync.OnceValues(func() (*server, error) {
	token := os.Getenv("BEDTAPE_CONTROL_TOKEN")
	if url := os.Getenv("BEDTAPE_URL"); url != "" {
		return &server{strings.TrimRight(url, "/"), token, nil}, nil
	}
	url, process, err := start()
	return &server{url, token, process}, err
})

// wait is the program of `bedtape run`: it ends when its input ends, which happens when this process
// ends in any way. The server ends with it.
const wait = `echo "$BEDTAPE_URL"; cat >/dev/null`

func start() (string, *exec.Cmd, error) {
	if _, err := exec.LookPath("bedtape"); err != nil {
		return "", nil, errors.New("expected a bedtape server, found neither BEDTAPE_URL nor bedtape " +
			"in PATH: run `bedtape run -- go test ./...`, or install bedtape")
	}
	command := exec.Command("bedtape", "run", "--", "sh", "-c", wait)
	var problems bytes.Buffer
	command.Stderr = &problems
	_, inputErr := command.StdinPipe()
	output, outputErr := command.StdoutPipe()
	if err := errors.Join(inputErr, outputErr); err != nil {
		return "", nil, err
	}
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	line, _ := bufio.NewReader(output).ReadString('\n')
	url := strings.TrimSpace(line)
	if url == "" {
		command.Wait()
		return "", nil, fmt.Errorf("bedtape run did not start: %s", problems.String())
	}
	return url, command, nil
}

// send sends a request of the control API, and decodes the answer into result if it is not nil.
func (s *server) send(method, path string, body, result any) error {
	var sent io.Reader = http.NoBody
	if body != nil {
		document, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(document)
	}
	request, err := http.NewRequest(method, s.url+path, sent)
	if err != nil {
		return err
	}
	if s.token != "" {
		request.Header.Set("x-bedtape-token", s.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no server answers at %s: %w", s.url, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(answer, &refusal) != nil || refusal.Error == "" {
			refusal.Error = string(answer)
		}
		return fmt.Errorf("%s %s: status %d: %s", method, path, response.StatusCode, refusal.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}
