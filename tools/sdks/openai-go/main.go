// Command probe runs the official SDK of OpenAI for Go against a gateway and prints one JSON line per scenario.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const (
	deadline = 20 * time.Second

	plain = "openai/gpt-4o-mini"
	// streamed comes in writes of 7 bytes, which end in the middle of events and of characters.
	streamed = "sim/ok:events=12,split=7"
	// slow streams for 20 seconds.
	slow = "sim/ok:events=400,gapMs=50"
	// silent never answers.
	silent = "sim/hang"

	pictureURL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	// city is any text of the simulator's.
	city     = "Zürich 🗼"
	toolName = "get_weather"
)

// scenario is one check: an error says what was wrong.
type scenario struct {
	name string
	run  func(context.Context, *probe) error
}

// probe is what scenarios work with.
type probe struct {
	client openai.Client
	runID  string
}

// promptOf is what a scenario asks; the matrix finds the request upstream by it.
func (p *probe) promptOf(name string) string { return fmt.Sprintf("Ahoj from %s: %s.", p.runID, name) }

// answerTo is the whole answer to promptOf(name).
func (p *probe) answerTo(name string) string {
	return fmt.Sprintf("Echo: %s — ¡olé! 👋🏽 你好", p.promptOf(name))
}

// request is the question of a scenario.
func (p *probe) request(name, model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(p.promptOf(name))},
	}
}

// ask gives the text of the answer to a scenario's question.
func (p *probe) ask(ctx context.Context, name, model string, opts ...option.RequestOption) (string, error) {
	answer, err := p.client.Chat.Completions.New(ctx, p.request(name, model), opts...)
	if err != nil {
		return "", err
	}
	return answer.Choices[0].Message.Content, nil
}

// same is nil when what came is what was expected.
func same[T comparable](came, expected T) error {
	if came != expected {
		return fmt.Errorf("expected %v, came %v", expected, came)
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
	for _, s := range append(answers, failures...) {
		if err := out.Encode(p.try(s)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
