package sluice;

import static sluice.Failures.check;
import static sluice.Failures.checkOpenRouters;
import static sluice.Failures.failure;
import static sluice.Probe.CITY;
import static sluice.Probe.PICTURE_URL;
import static sluice.Probe.PLAIN;
import static sluice.Probe.SLOW;
import static sluice.Probe.STREAMED;
import static sluice.Probe.same;

import com.openai.client.OpenAIClient;
import com.openai.errors.BadRequestException;
import com.openai.errors.InternalServerException;
import com.openai.errors.RateLimitException;
import com.openai.errors.SseException;
import com.openai.helpers.ResponseAccumulator;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.responses.EasyInputMessage;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseInputContent;
import com.openai.models.responses.ResponseInputImage;
import com.openai.models.responses.ResponseInputItem;
import com.openai.models.responses.ResponseInputText;
import com.openai.models.responses.ResponseOutputText;
import com.openai.models.responses.ResponseStatus;
import com.openai.models.responses.ResponseStreamEvent;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The scenarios of the Responses API, embeddings and legacy completions. */
final class Endpoints {
  private static final String TOOL_RESULT = "21 °C, sunny, no wind at all";

  /** The message in the gateway's last event of a stream that upstream aborts. */
  private static final String WHY_CUT = "OpenRouter closed the connection before its response was complete";

  private final Probe probe;
  private final OpenAIClient client;

  Endpoints(Probe probe) {
    this.probe = probe;
    this.client = probe.client;
  }

  void addTo(Map<String, Probe.Scenario> scenarios) {
    scenarios.put("response", this::response);
    scenarios.put("response stream", this::responseStream);
    scenarios.put("response stream helper", this::responseStreamHelper);
    scenarios.put("response parse", this::responseParse);
    scenarios.put("response tools", this::responseTools);
    scenarios.put("response tools streamed", this::responseToolsStreamed);
    scenarios.put("response image", this::responseImage);
    scenarios.put("response errors", this::responseErrors);
    scenarios.put("response cancel", this::responseCancel);
    scenarios.put("response cut stream", this::responseCutStream);
    scenarios.put("embeddings", this::embeddings);
    scenarios.put("completion", this::completion);
    scenarios.put("completion stream", this::completionStream);
  }

  private ResponseCreateParams.Builder request(String scenario, String model) {
    return ResponseCreateParams.builder().model(model).input(probe.promptOf(scenario));
  }

  private static String readText(Response response) {
    return response.output().stream()
        .flatMap(item -> item.message().stream())
        .flatMap(message -> message.content().stream())
        .flatMap(content -> content.outputText().stream())
        .map(ResponseOutputText::text)
        .collect(Collectors.joining());
  }

  private void response() {
    var answer = client.responses().create(request("response", PLAIN).build());
    same(readText(answer), probe.answerTo("response"));
    same(answer.status().orElse(null), ResponseStatus.COMPLETED);
    same(answer.usage().orElseThrow().outputTokens() > 0, true);
  }

  private void responseStream() {
    String text;
    try (var events = client.responses().createStreaming(request("response stream", STREAMED).build())) {
      text =
          events.stream()
              .flatMap(event -> event.outputTextDelta().stream())
              .map(delta -> delta.delta())
              .collect(Collectors.joining());
    }
    same(text, readText(client.responses().create(request("response stream", PLAIN).build())));
    same(text, probe.answerTo("response stream"));
  }

  private Response accumulate(ResponseCreateParams request) {
    var whole = ResponseAccumulator.create();
    try (var events = client.responses().createStreaming(request)) {
      for (ResponseStreamEvent event : (Iterable<ResponseStreamEvent>) events.stream()::iterator) {
        whole.accumulate(event);
      }
    }
    return whole.response();
  }

  private void responseStreamHelper() {
    var answer = accumulate(request("response stream helper", STREAMED).build());
    same(readText(answer), probe.answerTo("response stream helper"));
  }

  private void responseParse() {
    var request = request("response parse", PLAIN).text(Answers.Report.class).build();
    var report =
        client.responses().create(request).output().stream()
            .flatMap(item -> item.message().stream())
            .flatMap(message -> message.content().stream())
            .flatMap(content -> content.outputText().stream())
            .findFirst()
            .orElseThrow();
    same(report.city, CITY);
    same(report.celsius, 1);
  }

  /** Returns the result of the function call in a response, and checks the text of the next response. */
  private void returnResult(String scenario, Response asked) {
    var call = asked.output().get(0).asFunctionCall();
    same(call.name(), "GetWeather");
    same(call.arguments(Answers.GetWeather.class).city, CITY);
    var question =
        EasyInputMessage.builder().role(EasyInputMessage.Role.USER).content(probe.promptOf(scenario)).build();
    var result =
        ResponseInputItem.FunctionCallOutput.builder().callId(call.callId()).output(TOOL_RESULT).build();
    var request =
        ResponseCreateParams.builder()
            .model(PLAIN)
            .addTool(Answers.GetWeather.class)
            .inputOfResponse(
                List.of(
                    ResponseInputItem.ofEasyInputMessage(question),
                    ResponseInputItem.ofFunctionCall(call),
                    ResponseInputItem.ofFunctionCallOutput(result)))
            .build();
    same(readText(client.responses().create(request)), probe.answerTo(scenario));
  }

  private void responseTools() {
    var request = request("response tools", PLAIN).addTool(Answers.GetWeather.class).build();
    returnResult("response tools", client.responses().create(request));
  }

  private void responseToolsStreamed() {
    var request = request("response tools streamed", STREAMED).addTool(Answers.GetWeather.class).build();
    returnResult("response tools streamed", accumulate(request));
  }

  private void responseImage() {
    var text = ResponseInputText.builder().text(probe.promptOf("response image")).build();
    var picture =
        ResponseInputImage.builder().detail(ResponseInputImage.Detail.AUTO).imageUrl(PICTURE_URL).build();
    var message =
        EasyInputMessage.builder()
            .role(EasyInputMessage.Role.USER)
            .contentOfResponseInputMessageContentList(
                List.of(ResponseInputContent.ofInputText(text), ResponseInputContent.ofInputImage(picture)))
            .build();
    var request =
        ResponseCreateParams.builder()
            .model(PLAIN)
            .inputOfResponse(List.of(ResponseInputItem.ofEasyInputMessage(message)))
            .build();
    same(readText(client.responses().create(request)), probe.answerTo("response image"));
  }

  private void responseErrors() {
    var wrong = request("response errors", PLAIN).temperature(3).build();
    var limited = request("response errors", "sim/error:status=429").build();
    var failing = request("response errors", "sim/error:status=502").build();
    var responses = client.responses();
    check(failure(BadRequestException.class, () -> responses.create(wrong)), 400, "invalid_value");
    var limit = failure(RateLimitException.class, () -> responses.create(limited));
    checkOpenRouters(limit, 429, "Rate limit exceeded");
    var failed = failure(InternalServerException.class, () -> responses.create(failing));
    checkOpenRouters(failed, 502, "Provider returned error");
  }

  private void responseCancel() {
    try (var events = client.responses().createStreaming(request("response cancel", SLOW).build())) {
      same(events.stream().limit(8).count(), 8L);
    }
  }

  private void responseCutStream() {
    var request = request("response cut stream", "sim/cut").build();
    var error = failure(SseException.class, () -> accumulate(request));
    same(error.getMessage().contains(WHY_CUT) ? WHY_CUT : error.getMessage(), WHY_CUT);
  }

  private void embeddings() {
    var request =
        EmbeddingCreateParams.builder()
            .model("openai/text-embedding-3-small")
            .inputOfArrayOfStrings(List.of(probe.promptOf("embeddings"), "second"))
            .dimensions(64);
    var encoding = EmbeddingCreateParams.EncodingFormat.FLOAT;
    // The SDK requests base64 by default.
    var packed = client.embeddings().create(request.build());
    var numbers = client.embeddings().create(request.encodingFormat(encoding).build());
    same(packed.data().size(), 2);
    same(packed.data().get(1).embedding().size(), 64);
    same(packed.data().get(1).embedding(), numbers.data().get(1).embedding());
    same(packed.usage().totalTokens() > 0, true);
  }

  private CompletionCreateParams completionRequest(String scenario, String model) {
    return CompletionCreateParams.builder().model(model).prompt(probe.promptOf(scenario)).build();
  }

  private void completion() {
    var answer = client.completions().create(completionRequest("completion", PLAIN));
    same(answer.choices().get(0).text(), probe.answerTo("completion"));
    same(answer.usage().orElseThrow().totalTokens() > 0, true);
  }

  private void completionStream() {
    var request = completionRequest("completion stream", STREAMED);
    try (var chunks = client.completions().createStreaming(request)) {
      var text =
          chunks.stream()
              .flatMap(chunk -> chunk.choices().stream())
              .map(choice -> choice.text())
              .collect(Collectors.joining());
      same(text, probe.answerTo("completion stream"));
    }
  }
}
