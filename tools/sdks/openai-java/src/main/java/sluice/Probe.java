package sluice;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** Makes requests to a gateway with OpenAI's official SDK for Java and prints one JSON line per scenario. */
public final class Probe {
  static final String PLAIN = "openai/gpt-4o-mini";

  /** Responds in writes of 7 bytes, so that writes end in the middle of events and of characters. */
  static final String STREAMED = "sim/ok:events=12,split=7";

  /** Responds with a stream that takes 20 s. */
  static final String SLOW = "sim/ok:events=400,gapMs=50";

  /** An image of one pixel. */
  static final String PICTURE_URL =
      "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

  /** The text that the simulator uses for every string of a JSON schema. */
  static final String CITY = "Zürich 🗼";

  private static final int DEADLINE_S = 20;

  /** One check. Its exception says what is wrong. */
  interface Scenario {
    void run() throws Exception;
  }

  final String runId = Objects.requireNonNull(System.getenv("RUN_ID"), "RUN_ID");

  final OpenAIClient client =
      OpenAIOkHttpClient.builder()
          .baseUrl(Objects.requireNonNull(System.getenv("BASE_URL"), "BASE_URL"))
          .apiKey(Objects.requireNonNull(System.getenv("API_KEY"), "API_KEY"))
          .maxRetries(0)
          .build();

  /** Returns the prompt of a scenario. {@code test/sdk/matrix} finds the scenario's requests at upstream by this text. */
  String promptOf(String scenario) {
    return "Ahoj from %s: %s.".formatted(runId, scenario);
  }

  /** Returns the complete text with which the simulator responds to the prompt of a scenario. */
  String answerTo(String scenario) {
    return "Echo: %s — ¡olé! 👋🏽 你好".formatted(promptOf(scenario));
  }

  ChatCompletionCreateParams.Builder request(String scenario, String model) {
    return ChatCompletionCreateParams.builder().model(model).addUserMessage(promptOf(scenario));
  }

  /** Sends a request and returns the text of the response. */
  static String ask(OpenAIClient client, ChatCompletionCreateParams request) {
    return client.chat().completions().create(request).choices().get(0).message().content().orElseThrow();
  }

  static void same(Object actual, Object expected) {
    if (!Objects.equals(actual, expected)) {
      throw new AssertionError("expected %s, got %s".formatted(expected, actual));
    }
  }

  private static String tryOut(Scenario scenario, ExecutorService executor) throws InterruptedException {
    var running =
        executor.submit(
            () -> {
              scenario.run();
              return null;
            });
    try {
      running.get(DEADLINE_S, TimeUnit.SECONDS);
      return "";
    } catch (ExecutionException failure) {
      return failure.getCause().toString();
    } catch (java.util.concurrent.TimeoutException late) {
      running.cancel(true);
      return "not finished after %d s".formatted(DEADLINE_S);
    }
  }

  public static void main(String[] args) throws Exception {
    var probe = new Probe();
    Map<String, Scenario> scenarios = new LinkedHashMap<>();
    new Answers(probe).addTo(scenarios);
    new Endpoints(probe).addTo(scenarios);
    new Failures(probe).addTo(scenarios);

    var json = JsonMapper.builder().build();
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    var executor = Executors.newCachedThreadPool();
    for (var scenario : scenarios.entrySet()) {
      var detail = tryOut(scenario.getValue(), executor);
      var outcome = new LinkedHashMap<String, Object>();
      outcome.put("scenario", scenario.getKey());
      outcome.put("ok", detail.isEmpty());
      outcome.put("detail", detail);
      out.println(json.writeValueAsString(outcome));
    }
    // The client's threads would keep the process alive.
    System.exit(0);
  }
}
