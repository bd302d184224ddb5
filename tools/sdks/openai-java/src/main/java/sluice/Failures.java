package sluice;

import static sluice.Probe.PLAIN;
import static sluice.Probe.SLOW;
import static sluice.Probe.same;

import com.openai.client.OpenAIClient;
import com.openai.errors.BadRequestException;
import com.openai.errors.InternalServerException;
import com.openai.errors.NotFoundException;
import com.openai.errors.OpenAIIoException;
import com.openai.errors.OpenAIServiceException;
import com.openai.errors.RateLimitException;
import com.openai.errors.UnauthorizedException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Map;

/** The scenarios with errors, disconnects, timeouts and retries. */
final class Failures {
  private final Probe probe;
  private final OpenAIClient client;

  Failures(Probe probe) {
    this.probe = probe;
    this.client = probe.client;
  }

  void addTo(Map<String, Probe.Scenario> scenarios) {
    scenarios.put("401", this::wrongKey);
    scenarios.put("400", this::wrongRequest);
    scenarios.put("404", this::unknownModel);
    scenarios.put("429", this::limit);
    scenarios.put("500", this::upstreamFailure);
    scenarios.put("cancel", this::cancel);
    scenarios.put("timeout", this::timeout);
    scenarios.put("retry after 429", this::retryAfter429);
  }

  /** Runs an action that must fail with an exception of the given class. */
  static <E extends Throwable> E failure(Class<E> expected, Probe.Scenario action) {
    try {
      action.run();
    } catch (Throwable error) {
      if (expected.isInstance(error)) {
        return expected.cast(error);
      }
      throw new AssertionError("expected %s, came %s".formatted(expected.getName(), error), error);
    }
    throw new AssertionError("expected %s, came an answer".formatted(expected.getName()));
  }

  static void check(OpenAIServiceException error, int status, String code) {
    same(error.statusCode(), status);
    same(error.code().orElse(null), code);
  }

  /** Checks an error of OpenRouter. Its code is a number, for which {@code code()} throws an exception. */
  static void checkOpenRouters(OpenAIServiceException error, int status, String message) {
    same(error.statusCode(), status);
    same(error.getMessage().contains(message) ? message : error.getMessage(), message);
  }

  private void ask(String scenario, String model) {
    Probe.ask(client, probe.request(scenario, model).build());
  }

  private void wrongKey() {
    var stranger = client.withOptions(options -> options.apiKey("sk-not-a-key-of-this-gateway"));
    check(failure(UnauthorizedException.class, () -> stranger.models().list()), 401, "invalid_api_key");
  }

  private void wrongRequest() {
    var request = probe.request("400", PLAIN).temperature(3).build();
    var error = failure(BadRequestException.class, () -> Probe.ask(client, request));
    check(error, 400, "invalid_value");
    same(error.param().orElse(null), "temperature");
  }

  private void unknownModel() {
    var error =
        failure(NotFoundException.class, () -> client.models().retrieve("openai/no-such-model"));
    check(error, 404, "model_not_found");
  }

  private void limit() {
    var error = failure(RateLimitException.class, () -> ask("429", "sim/error:status=429"));
    checkOpenRouters(error, 429, "Rate limit exceeded");
  }

  private void upstreamFailure() {
    var error = failure(InternalServerException.class, () -> ask("500", "sim/error:status=500"));
    checkOpenRouters(error, 500, "Internal Server Error");
  }

  private void cancel() {
    var request = probe.request("cancel", SLOW).build();
    try (var chunks = client.chat().completions().createStreaming(request)) {
      same(chunks.stream().limit(3).count(), 3L);
    }
  }

  private void timeout() {
    var impatient = client.withOptions(options -> options.timeout(Duration.ofMillis(700)));
    var request = probe.request("timeout", "sim/hang").build();
    var error = failure(OpenAIIoException.class, () -> Probe.ask(impatient, request));
    same(error.getCause() instanceof InterruptedIOException ? null : error.getCause(), null);
  }

  private void retryAfter429() {
    var patient = client.withOptions(options -> options.maxRetries(2));
    var model = "sim/flaky:times=1,status=429,retryAfter=1,id=" + probe.runId;
    var text = Probe.ask(patient, probe.request("retry after 429", model).build());
    same(text, probe.answerTo("retry after 429"));
  }
}
