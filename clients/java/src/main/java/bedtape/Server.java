package bedtape;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/**
 * A bedtape server: the one that the property bedtape.url or the variable BEDTAPE_URL names, or one
 * that ends with this process.
 */
final class Server {
    static final ObjectMapper JSON = new ObjectMapper()
            .setSerializationInclusion(JsonInclude.Include.NON_NULL)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    // The program of `bedtape run` ends when its input ends, which happens when this process ends.
    private static final String WAIT = "echo \"$BEDTAPE_URL\"; cat >/dev/null";
    private static Server running;

    final String url;
    final String token = read("bedtape.token", "BEDTAPE_CONTROL_TOKEN");
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private Server(String url) {
        this.url = url.replaceAll("/+$", "");
    }

    /** The server of the process, which the first call starts if no variable names one. */
    static synchronized Server find() {
        if (running == null) {
            String url = read("bedtape.url", "BEDTAPE_URL");
            running = new Server(url == null || url.isEmpty() ? start() : url);
        }
        return running;
    }

    /** A program can set properties, but not variables. */
    private static String read(String property, String variable) {
        return System.getProperty(property, System.getenv(variable));
    }

    private static String start() {
        try {
            Process process = new ProcessBuilder("bedtape", "run", "--", "sh", "-c", WAIT)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String url = process.inputReader().readLine();
            if (url == null) {
                throw new IllegalStateException("`bedtape run` did not start; see its message above");
            }
            return url;
        } catch (IOException error) {
            throw new UncheckedIOException(
                    "expected a bedtape server, found neither BEDTAPE_URL nor bedtape in PATH: run"
                    + " `bedtape run -- mvn test`, or install bedtape", error);
        }
    }

    /** Sends a request of the control API. Throws an exception if the server refuses it. */
    JsonNode send(String method, String path, Object body) {
        try {
            var text = body == null ? "" : JSON.writeValueAsString(body);
            var request = HttpRequest.newBuilder(URI.create(url + path))
                    .method(method, HttpRequest.BodyPublishers.ofString(text));
            if (token != null) {
                request.header("x-bedtape-token", token);
            }
            var response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
            JsonNode answer = parse(response.body());
            if (response.statusCode() != 200) {
                String reason = answer.path("error").asText(response.body());
                throw new IllegalArgumentException(
                        method + " " + path + ": status " + response.statusCode() + ": " + reason);
            }
            return answer;
        } catch (IOException error) {
            throw new UncheckedIOException("no server answers at " + url, error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(error);
        }
    }

    private static JsonNode parse(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException error) {
            return MissingNode.getInstance();
        }
    }
}
