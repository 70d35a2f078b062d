package spam;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.stream.StreamSupport;

/** A session of the bedtape server that `bedtape run -- mvn test` started: one test's own rules, faults and history. */
final class Bedtape {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final String desk;
    final URI endpoint;

    Bedtape(String name) {
        String server = System.getenv("BEDTAPE_URL");
        if (server == null) {
            throw new IllegalStateException("expected BEDTAPE_URL, found none: run as `bedtape run -- mvn test`");
        }
        desk = server + "/_bedtape/sessions/" + name;
        endpoint = URI.create(server + "/s/" + name);
    }

    void rule(String document) throws IOException, InterruptedException {
        ask("POST", "/rules", document);
    }

    void fault(String document) throws IOException, InterruptedException {
        ask("POST", "/faults", document);
    }

    /** Fails with the server's report, unless there were such calls. */
    void assertCalled(String conditions) throws IOException, InterruptedException {
        JsonNode told = ask("POST", "/assert", "{\"called\": " + conditions + "}");
        if (!told.get("passed").asBoolean()) {
            throw new AssertionError(told.get("report").asText());
        }
    }

    List<Integer> statuses() throws IOException, InterruptedException {
        JsonNode calls = ask("GET", "/calls", "").get("calls");
        return StreamSupport.stream(calls.spliterator(), false).map(call -> call.get("status").asInt()).toList();
    }

    void drop() throws IOException, InterruptedException {
        ask("DELETE", "", "");
    }

    /** Sends JSON to the control API; docs/reference/control.md has all that it takes. */
    private JsonNode ask(String method, String path, String body) throws IOException, InterruptedException {
        var sent = HttpRequest.BodyPublishers.ofString(body);
        var request = HttpRequest.newBuilder(URI.create(desk + path)).method(method, sent).build();
        var response = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new AssertionError(method + " " + path + ": " + response.statusCode() + " " + response.body());
        }
        return JSON.readTree(response.body());
    }
}
