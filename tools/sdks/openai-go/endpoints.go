package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
)

// endpoints are the scenarios of the Responses API, embeddings and legacy completions.
var endpoints = []scenario{
	{"response", response},
	{"response stream", responseStream},
	{"response parse", responseParse},
	{"response tools", responseTools},
	{"response tools streamed", responseToolsStreamed},
	{"response image", responseImage},
	{"response errors", responseErrors},
	{"response cancel", responseCancel},
	{"response cut stream", responseCutStream},
	{"embeddings", embeddings},
	{"completion", completion},
	{"completion stream", completionStream},
}

type input = responses.ResponseNewParamsInputUnion

// responseRequest returns a request of the Responses API with the prompt of a scenario.
func (p *probe) responseRequest(name, model string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: model, Input: input{OfString: openai.String(p.promptOf(name))}}
}

func response(ctx context.Context, p *probe) error {
	answer, err := p.client.Responses.New(ctx, p.responseRequest("response", plain))
	if err != nil {
		return err
	}
	if answer.Usage.InputTokens == 0 || answer.Usage.OutputTokens == 0 {
		return errors.New("no usage came")
	}
	return errors.Join(
		same(answer.OutputText(), p.answerTo("response")),
		same(answer.Status, responses.ResponseStatusCompleted),
	)
}

// readEvents reads a stream to its end and returns the text of its deltas and its last event.
func readEvents(
	events *ssestream.Stream[responses.ResponseStreamEventUnion],
) (string, responses.ResponseStreamEventUnion, error) {
	defer events.Close()
	var text strings.Builder
	var last responses.ResponseStreamEventUnion
	for events.Next() {
		last = events.Current()
		if last.Type == "response.output_text.delta" {
			text.WriteString(last.Delta)
		}
	}
	return text.String(), last, events.Err()
}

func responseStream(ctx context.Context, p *probe) error {
	request := p.responseRequest("response stream", streamed)
	text, last, err := readEvents(p.client.Responses.NewStreaming(ctx, request))
	if err != nil {
		return err
	}
	answer, err := p.client.Responses.New(ctx, p.responseRequest("response stream", plain))
	if err != nil {
		return err
	}
	return errors.Join(
		same(text, answer.OutputText()),
		same(text, p.answerTo("response stream")),
		same(last.Type, "response.completed"),
		same(last.Response.OutputText(), text),
	)
}

func responseParse(ctx context.Context, p *probe) error {
	request := p.responseRequest("response parse", plain)
	request.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("report", reportSchema)
	request.Text.Format.OfJSONSchema.Strict = openai.Bool(true)
	answer, err := p.client.Responses.New(ctx, request)
	if err != nil {
		return err
	}
	return checkReport(answer.OutputText())
}

var responseTool = []responses.ToolUnionParam{responses.ToolParamOfFunction(toolName, toolSchema, true)}

// returnResult returns the result of the function call in a response and checks the text of the next response.
func (p *probe) returnResult(ctx context.Context, name string, asked responses.Response) error {
	if len(asked.Output) != 1 || asked.Output[0].Type != "function_call" {
		return fmt.Errorf("no function call in %s", asked.RawJSON())
	}
	call := asked.Output[0].AsFunctionCall()
	var arguments struct{ City string }
	if err := json.Unmarshal([]byte(call.Arguments), &arguments); err != nil {
		return err
	}
	result := responses.ResponseInputItemParamOfFunctionCallOutput(toolResult)
	result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
	answer, err := p.client.Responses.New(ctx, responses.ResponseNewParams{
		Model: plain,
		Tools: responseTool,
		Input: input{OfInputItemList: responses.ResponseInputParam{
			responses.ResponseInputItemParamOfMessage(p.promptOf(name), responses.EasyInputMessageRoleUser),
			responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name),
			result,
		}},
	})
	if err != nil {
		return err
	}
	return errors.Join(
		same(call.Name, toolName),
		same(arguments.City, city),
		same(answer.OutputText(), p.answerTo(name)),
	)
}

func responseTools(ctx context.Context, p *probe) error {
	request := p.responseRequest("response tools", plain)
	request.Tools = responseTool
	asked, err := p.client.Responses.New(ctx, request)
	if err != nil {
		return err
	}
	return p.returnResult(ctx, "response tools", *asked)
}

func responseToolsStreamed(ctx context.Context, p *probe) error {
	request := p.responseRequest("response tools streamed", streamed)
	request.Tools = responseTool
	_, last, err := readEvents(p.client.Responses.NewStreaming(ctx, request))
	if err != nil {
		return err
	}
	return p.returnResult(ctx, "response tools streamed", last.Response)
}

func responseImage(ctx context.Context, p *probe) error {
	picture := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
	picture.OfInputImage.ImageURL = openai.String(pictureURL)
	content := responses.ResponseInputMessageContentListParam{
		responses.ResponseInputContentParamOfInputText(p.promptOf("response image")),
		picture,
	}
	message := responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser)
	answer, err := p.client.Responses.New(ctx, responses.ResponseNewParams{
		Model: plain,
		Input: input{OfInputItemList: responses.ResponseInputParam{message}},
	})
	if err != nil {
		return err
	}
	return same(answer.OutputText(), p.answerTo("response image"))
}

func responseErrors(ctx context.Context, p *probe) error {
	request := p.responseRequest("response errors", plain)
	request.Temperature = openai.Float(3)
	_, mistake := p.client.Responses.New(ctx, request)
	_, limit := p.client.Responses.New(ctx, p.responseRequest("response errors", "sim/error:status=429"))
	_, failure := p.client.Responses.New(ctx, p.responseRequest("response errors", "sim/error:status=502"))
	return errors.Join(
		checkError(mistake, 400, "invalid_value"),
		checkError(limit, 429, "429"),
		checkError(failure, 502, "502"),
	)
}

func responseCancel(ctx context.Context, p *probe) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	events := p.client.Responses.NewStreaming(ctx, p.responseRequest("response cancel", slow))
	for range 8 {
		if !events.Next() {
			return fmt.Errorf("the stream ended early: %w", events.Err())
		}
	}
	leave()
	if _, _, err := readEvents(events); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("expected context.Canceled, got %w", err)
	}
	return nil
}

func responseCutStream(ctx context.Context, p *probe) error {
	_, _, err := readEvents(p.client.Responses.NewStreaming(ctx, p.responseRequest("response cut stream", "sim/cut")))
	var reason *ssestream.StreamError
	if !errors.As(err, &reason) || !strings.Contains(reason.Message, whyCut) {
		return fmt.Errorf("expected a *ssestream.StreamError with the reason, got %T: %w", err, err)
	}
	return nil
}

func embeddings(ctx context.Context, p *probe) error {
	request := openai.EmbeddingNewParams{
		Model:      "openai/text-embedding-3-small",
		Input:      openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{p.promptOf("embeddings"), "second"}},
		Dimensions: openai.Int(64),
	}
	numbers, err := p.client.Embeddings.New(ctx, request)
	if err != nil {
		return err
	}
	// The SDK does not decode base64, so the program does.
	request.EncodingFormat = openai.EmbeddingNewParamsEncodingFormatBase64
	packed, err := p.client.Embeddings.New(ctx, request)
	if err != nil {
		return err
	}
	var text string
	if err := json.Unmarshal([]byte(packed.Data[1].JSON.Embedding.Raw()), &text); err != nil {
		return err
	}
	vector, err := decodeVector(text)
	if err != nil {
		return err
	}
	return errors.Join(
		same(len(numbers.Data), 2),
		same(len(numbers.Data[1].Embedding), 64),
		same(fmt.Sprint(vector), fmt.Sprint(numbers.Data[1].Embedding)),
		same(numbers.Usage.TotalTokens > 0, true),
	)
}

// decodeVector decodes 32-bit floating-point numbers from base64.
func decodeVector(text string) ([]float64, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var vector []float64
	for ; len(data) >= 4; data = data[4:] {
		vector = append(vector, float64(math.Float32frombits(binary.LittleEndian.Uint32(data))))
	}
	return vector, nil
}

func (p *probe) completionRequest(name, model string) openai.CompletionNewParams {
	prompt := openai.CompletionNewParamsPromptUnion{OfString: openai.String(p.promptOf(name))}
	return openai.CompletionNewParams{Model: openai.CompletionNewParamsModel(model), Prompt: prompt}
}

func completion(ctx context.Context, p *probe) error {
	answer, err := p.client.Completions.New(ctx, p.completionRequest("completion", plain))
	if err != nil {
		return err
	}
	return errors.Join(
		same(answer.Choices[0].Text, p.answerTo("completion")),
		same(answer.Usage.TotalTokens > 0, true),
	)
}

func completionStream(ctx context.Context, p *probe) error {
	chunks := p.client.Completions.NewStreaming(ctx, p.completionRequest("completion stream", streamed))
	defer chunks.Close()
	var text strings.Builder
	for chunks.Next() {
		for _, choice := range chunks.Current().Choices {
			text.WriteString(choice.Text)
		}
	}
	return errors.Join(chunks.Err(), same(text.String(), p.answerTo("completion stream")))
}
