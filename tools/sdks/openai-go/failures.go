package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// failures are the scenarios with errors, disconnects, timeouts and retries.
var failures = []scenario{
	{"401", wrongKey},
	{"400", wrongRequest},
	{"404", unknownModel},
	{"429", limit},
	{"500", upstreamFailure},
	{"cancel", cancelStream},
	{"timeout", timeout},
	{"retry after 429", retryAfter429},
}

// checkError checks that err is an *openai.Error, the SDK's only type of API errors, with the given status and code.
func checkError(err error, status int, code string) error {
	var apiError *openai.Error
	if !errors.As(err, &apiError) {
		return fmt.Errorf("expected an *openai.Error, got %T: %w", err, err)
	}
	return errors.Join(same(apiError.StatusCode, status), same(apiError.Code, code))
}

func wrongKey(ctx context.Context, p *probe) error {
	_, err := p.client.Models.List(ctx, option.WithAPIKey("sk-not-a-key-of-this-gateway"))
	return checkError(err, 401, "invalid_api_key")
}

func wrongRequest(ctx context.Context, p *probe) error {
	request := p.request("400", plain)
	request.Temperature = openai.Float(3)
	_, err := p.client.Chat.Completions.New(ctx, request)
	return checkError(err, 400, "invalid_value")
}

func unknownModel(ctx context.Context, p *probe) error {
	_, err := p.client.Models.Get(ctx, "openai/no-such-model")
	return checkError(err, 404, "model_not_found")
}

func limit(ctx context.Context, p *probe) error {
	_, err := p.ask(ctx, "429", "sim/error:status=429")
	return checkError(err, 429, "429")
}

func upstreamFailure(ctx context.Context, p *probe) error {
	_, err := p.ask(ctx, "500", "sim/error:status=500")
	return checkError(err, 500, "500")
}

func cancelStream(ctx context.Context, p *probe) error {
	ctx, leave := context.WithCancel(ctx)
	chunks := p.client.Chat.Completions.NewStreaming(ctx, p.request("cancel", slow))
	defer chunks.Close()
	for range 3 {
		if !chunks.Next() {
			leave()
			return fmt.Errorf("the stream ended early: %w", chunks.Err())
		}
	}
	leave()
	for chunks.Next() {
	}
	if !errors.Is(chunks.Err(), context.Canceled) {
		return fmt.Errorf("expected context.Canceled, got %w", chunks.Err())
	}
	return nil
}

func timeout(ctx context.Context, p *probe) error {
	_, err := p.ask(ctx, "timeout", silent, option.WithRequestTimeout(700*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("expected context.DeadlineExceeded, got %w", err)
	}
	return nil
}

func retryAfter429(ctx context.Context, p *probe) error {
	model := fmt.Sprintf("sim/flaky:times=1,status=429,retryAfter=1,id=%s", p.runID)
	text, err := p.ask(ctx, "retry after 429", model, option.WithMaxRetries(2))
	return errors.Join(err, same(text, p.answerTo("retry after 429")))
}
