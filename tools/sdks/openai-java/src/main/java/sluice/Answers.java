package sluice;

import static sluice.Probe.CITY;
import static sluice.Probe.PICTURE_URL;
import static sluice.Probe.PLAIN;
import static sluice.Probe.STREAMED;
import static sluice.Probe.same;

import com.openai.client.OpenAIClient;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionContentPart;
import com.openai.models.chat.completions.ChatCompletionContentPartImage;
import com.openai.models.chat.completions.ChatCompletionContentPartText;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.models.Model;
import java.util.List;
import java.util.Map;

/** The scenarios with successful responses. */
final class Answers {
  /** A tool. The SDK derives its name from the class and its schema from the fields. */
  static final class GetWeather {
    public String city;
  }

  static final class Report {
    public String city;
    public int celsius;
  }

  private final Probe probe;
  private final OpenAIClient client;

  Answers(Probe probe) {
    this.probe = probe;
    this.client = probe.client;
  }

  void addTo(Map<String, Probe.Scenario> scenarios) {
    scenarios.put("chat", this::chat);
    scenarios.put("stream", this::stream);
    scenarios.put("tools", this::tools);
    scenarios.put("tools streamed", this::toolsStreamed);
    scenarios.put("structured output", this::structuredOutput);
    scenarios.put("image input", this::imageInput);
    scenarios.put("models list", this::modelsList);
    scenarios.put("model retrieve", this::modelRetrieve);
  }

  private void chat() {
    var answer = client.chat().completions().create(probe.request("chat", PLAIN).build());
    var choice = answer.choices().get(0);
    same(choice.message().content().orElse(null), probe.answerTo("chat"));
    same(choice.finishReason(), ChatCompletion.Choice.FinishReason.STOP);
    same(answer.usage().orElseThrow().totalTokens() > 0, true);
  }

  private void stream() {
    var text = new StringBuilder();
    try (var chunks = client.chat().completions().createStreaming(probe.request("stream", STREAMED).build())) {
      chunks.stream()
          .flatMap(chunk -> chunk.choices().stream())
          .flatMap(choice -> choice.delta().content().stream())
          .forEach(text::append);
    }
    same(text.toString(), Probe.ask(client, probe.request("stream", PLAIN).build()));
    same(text.toString(), probe.answerTo("stream"));
  }

  private static void checkToolCall(ChatCompletion answer) {
    var call = answer.choices().get(0).message().toolCalls().orElseThrow().get(0).asFunction().function();
    same(call.name(), "GetWeather");
    same(call.arguments(GetWeather.class).city, CITY);
  }

  private void tools() {
    var request = probe.request("tools", PLAIN).addTool(GetWeather.class).build();
    checkToolCall(client.chat().completions().create(request));
  }

  private void toolsStreamed() {
    ChatCompletionCreateParams request =
        probe.request("tools streamed", STREAMED).addTool(GetWeather.class).build();
    var whole = ChatCompletionAccumulator.create();
    try (var chunks = client.chat().completions().createStreaming(request)) {
      for (ChatCompletionChunk chunk : (Iterable<ChatCompletionChunk>) chunks.stream()::iterator) {
        whole.accumulate(chunk);
      }
    }
    checkToolCall(whole.chatCompletion());
  }

  private void structuredOutput() {
    var request = probe.request("structured output", PLAIN).responseFormat(Report.class).build();
    var answer = client.chat().completions().create(request);
    var report = answer.choices().get(0).message().content().orElseThrow();
    same(report.city, CITY);
    same(report.celsius, 1);
  }

  private void imageInput() {
    var text = ChatCompletionContentPartText.builder().text(probe.promptOf("image input")).build();
    var picture =
        ChatCompletionContentPartImage.builder()
            .imageUrl(ChatCompletionContentPartImage.ImageUrl.builder().url(PICTURE_URL).build())
            .build();
    var request =
        ChatCompletionCreateParams.builder()
            .model(PLAIN)
            .addUserMessageOfArrayOfContentParts(
                List.of(
                    ChatCompletionContentPart.ofText(text), ChatCompletionContentPart.ofImageUrl(picture)))
            .build();
    same(Probe.ask(client, request), probe.answerTo("image input"));
  }

  private void modelsList() {
    same(client.models().list().autoPager().stream().map(Model::id).anyMatch(PLAIN::equals), true);
  }

  private void modelRetrieve() {
    for (var id : List.of(PLAIN, "meta-llama/llama-3.3-70b-instruct:free")) {
      var model = client.models().retrieve(id);
      same(model.id(), id);
      same(model.ownedBy(), id.substring(0, id.indexOf('/')));
    }
  }
}
