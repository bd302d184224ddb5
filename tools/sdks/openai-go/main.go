// Command probe makes requests to a gateway with OpenAI's official SDK for Go and prints one JSON line per scenario.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const (
	deadline = 20 * time.Second

	plain = "openai/gpt-4o-mini"
	// streamed responds in writes of 7 bytes, so that writes end in the middle of events and of characters.
	streamed = "sim/ok:events=12,split=7"
	// slow responds with a stream that takes 20 s.
	slow = "sim/ok:events=400,gapMs=50"
	// silent never responds.
	silent = "sim/hang"

	pictureURL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	// city is the text that the simulator uses for every string of a JSON schema.
	city     = "Zürich 🗼"
	toolName = "get_weather"
	// toolResult is the result that the program returns for a call of the tool.
	toolResult = "21 °C, sunny, no wind at all"
	// whyCut is the message in the gateway's last event of a stream that upstream aborts.
	whyCut = "OpenRouter closed the connection before its response was complete"
)

// scenario is one check. Its error says what is wrong.
type scenario struct {
	name string
	run  func(context.Context, *probe) error
}

// probe has the client and the run id that all scenarios use.
type probe struct {
	client openai.Client
	runID  string
}

// promptOf returns the prompt of a scenario. test/sdk/matrix finds the scenario's requests at upstream by this text.
func (p *probe) promptOf(name string) string { return fmt.Sprintf("Ahoj from %s: %s.", p.runID, name) }

// answerTo returns the complete text with which the simulator responds to promptOf(name).
func (p *probe) answerTo(name string) string {
	return fmt.Sprintf("Echo: %s — ¡olé! 👋🏽 你好", p.promptOf(name))
}

// request returns a chat completion request with the prompt of a scenario.
func (p *probe) request(name, model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(p.promptOf(name))},
	}
}

// ask sends the request of a scenario and returns the text of the response.
func (p *probe) ask(ctx context.Context, name, model string, opts ...option.RequestOption) (string, error) {
	response, err := p.client.Chat.Completions.New(ctx, p.request(name, model), opts...)
	if err != nil {
		return "", err
	}
	return response.Choices[0].Message.Content, nil
}

// same returns an error if a value differs from the expected one.
func same[T comparable](got, expected T) error {
	if got != expected {
		return fmt.Errorf("expected %v, got %v", expected, got)
	}
	return nil
}

type outcome struct {
	Scenario string `json:"scenario"`
	OK       bool   `json:"ok"`
	Detail   string `json:"detail"`
}

func (p *probe) try(s scenario) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := s.run(ctx, p); err != nil {
		return outcome{s.name, false, fmt.Sprintf("%T: %v", err, err)}
	}
	return outcome{s.name, true, ""}
}

func main() {
	p := &probe{
		client: openai.NewClient(
			option.WithBaseURL(os.Getenv("BASE_URL")),
			option.WithAPIKey(os.Getenv("API_KEY")),
			option.WithMaxRetries(0),
		),
		runID: os.Getenv("RUN_ID"),
	}
	out := json.NewEncoder(os.Stdout)
	for _, s := range slices.Concat(answers, endpoints, failures) {
		if err := out.Encode(p.try(s)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
