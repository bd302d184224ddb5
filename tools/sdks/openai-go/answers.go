package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
)

// answers are the scenarios with successful responses.
var answers = []scenario{
	{"chat", chat},
	{"stream", stream},
	{"tools", tools},
	{"tools streamed", toolsStreamed},
	{"structured output", structuredOutput},
	{"image input", imageInput},
	{"models list", modelsList},
	{"model retrieve", modelRetrieve},
}

func chat(ctx context.Context, p *probe) error {
	answer, err := p.client.Chat.Completions.New(ctx, p.request("chat", plain))
	if err != nil {
		return err
	}
	if answer.Usage.TotalTokens == 0 {
		return errors.New("no usage came")
	}
	return errors.Join(
		same(answer.Choices[0].Message.Content, p.answerTo("chat")),
		same(answer.Choices[0].FinishReason, "stop"),
	)
}

func stream(ctx context.Context, p *probe) error {
	chunks := p.client.Chat.Completions.NewStreaming(ctx, p.request("stream", streamed))
	defer chunks.Close()
	var text strings.Builder
	for chunks.Next() {
		for _, choice := range chunks.Current().Choices {
			text.WriteString(choice.Delta.Content)
		}
	}
	if err := chunks.Err(); err != nil {
		return err
	}
	whole, err := p.ask(ctx, "stream", plain)
	return errors.Join(err, same(text.String(), whole), same(text.String(), p.answerTo("stream")))
}

// toolSchema is the schema of a tool that has a city as its only parameter.
var toolSchema = map[string]any{
	"type":                 "object",
	"properties":           map[string]any{"city": map[string]any{"type": "string"}},
	"required":             []string{"city"},
	"additionalProperties": false,
}

func weatherTool() []openai.ChatCompletionToolUnionParam {
	return []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name:       toolName,
		Parameters: toolSchema,
		Strict:     openai.Bool(true),
	})}
}

func checkToolCall(answer *openai.ChatCompletion) error {
	if len(answer.Choices) != 1 || len(answer.Choices[0].Message.ToolCalls) != 1 {
		return fmt.Errorf("no tool call in %s", answer.RawJSON())
	}
	call := answer.Choices[0].Message.ToolCalls[0].Function
	var arguments struct{ City string }
	err := json.Unmarshal([]byte(call.Arguments), &arguments)
	return errors.Join(err, same(call.Name, toolName), same(arguments.City, city))
}

func tools(ctx context.Context, p *probe) error {
	request := p.request("tools", plain)
	request.Tools = weatherTool()
	answer, err := p.client.Chat.Completions.New(ctx, request)
	if err != nil {
		return err
	}
	return errors.Join(same(answer.Choices[0].FinishReason, "tool_calls"), checkToolCall(answer))
}

func toolsStreamed(ctx context.Context, p *probe) error {
	request := p.request("tools streamed", streamed)
	request.Tools = weatherTool()
	chunks := p.client.Chat.Completions.NewStreaming(ctx, request)
	defer chunks.Close()
	var whole openai.ChatCompletionAccumulator
	for chunks.Next() {
		if !whole.AddChunk(chunks.Current()) {
			return errors.New("a chunk did not fit")
		}
	}
	if err := chunks.Err(); err != nil {
		return err
	}
	return checkToolCall(&whole.ChatCompletion)
}

var reportSchema = map[string]any{
	"type": "object",
	"properties": map[string]any{
		"city":    map[string]any{"type": "string"},
		"celsius": map[string]any{"type": "integer"},
	},
	"required":             []string{"city", "celsius"},
	"additionalProperties": false,
}

func structuredOutput(ctx context.Context, p *probe) error {
	request := p.request("structured output", plain)
	request.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name:   "report",
			Schema: reportSchema,
			Strict: openai.Bool(true),
		},
	}
	answer, err := p.client.Chat.Completions.New(ctx, request)
	if err != nil {
		return err
	}
	return checkReport(answer.Choices[0].Message.Content)
}

// checkReport checks the structured output for reportSchema.
func checkReport(text string) error {
	var report struct {
		City    string
		Celsius int
	}
	err := json.Unmarshal([]byte(text), &report)
	return errors.Join(err, same(report.City, city), same(report.Celsius, 1))
}

func imageInput(ctx context.Context, p *probe) error {
	request := p.request("image input", plain)
	request.Messages = []openai.ChatCompletionMessageParamUnion{
		openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(p.promptOf("image input")),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: pictureURL}),
		}),
	}
	answer, err := p.client.Chat.Completions.New(ctx, request)
	if err != nil {
		return err
	}
	return same(answer.Choices[0].Message.Content, p.answerTo("image input"))
}

func modelsList(ctx context.Context, p *probe) error {
	models, err := p.client.Models.List(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(models.Data, func(model openai.Model) bool { return model.ID == plain }) {
		return fmt.Errorf("%s is not among %d models", plain, len(models.Data))
	}
	return nil
}

func modelRetrieve(ctx context.Context, p *probe) error {
	for _, id := range []string{plain, "meta-llama/llama-3.3-70b-instruct:free"} {
		model, err := p.client.Models.Get(ctx, id)
		if err != nil {
			return err
		}
		author, _, _ := strings.Cut(id, "/")
		if err := errors.Join(same(model.ID, id), same(model.OwnedBy, author)); err != nil {
			return err
		}
	}
	return nil
}
