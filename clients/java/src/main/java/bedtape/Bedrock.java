package bedtape;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.api.BackoffStrategy;

/**
 * Amazon Bedrock for one test: its own rules, faults and calls, on a bedtape server.
 *
 * <p>A method throws IllegalArgumentException with the server's explanation if the server refuses,
 * and an assertion throws AssertionError.
 */
public final class Bedrock {
    /** A value for conditions on calls without it: {@code new Conditions().error(Bedrock.NULL)}. */
    public static final Object NULL = NullNode.getInstance();

    private static final Set<String> WAITS = Set.of("no_backoff", "ignored_retry_after");

    private final Server server;
    private final String name;
    private final String part;
    private final String path;
    private boolean allowsMisses;
    private boolean fast;

    /** The session with this name. {@link BedtapeExtension} makes one for each test. */
    public Bedrock(String name) {
        this.server = Server.find();
        this.name = name;
        this.part = encode(name);
        this.path = "/_bedtape/sessions/" + part;
        delete(); // A run that was killed may have left it.
    }

    private static String encode(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** The name of the session: class and method of the test. */
    public String name() {
        return name;
    }

    /** The endpoint for clients of bedrock-runtime. */
    public URI url() {
        return URI.create(server.url + "/s/" + part);
    }

    /** The endpoint for clients of another service, such as bedrock-agent-runtime. */
    public URI url(String service) {
        return URI.create(url() + "/service/" + service);
    }

    /**
     * Gives a builder of a bedrock-runtime client the endpoint, a region, made-up credentials, and
     * retries without waits.
     */
    public <B extends AwsClientBuilder<B, C>, C> B configure(B builder) {
        return configure(builder, url());
    }

    /** Gives a builder of another service's client the same: {@code bedrock-agent-runtime}. */
    public <B extends AwsClientBuilder<B, C>, C> B configure(B builder, String service) {
        return configure(builder, url(service));
    }

    private <B extends AwsClientBuilder<B, C>, C> B configure(B builder, URI endpoint) {
        fast = true;
        var retries = AwsRetryStrategy.standardRetryStrategy().toBuilder()
                .backoffStrategy(BackoffStrategy.retryImmediately())
                .throttlingBackoffStrategy(BackoffStrategy.retryImmediately())
                .build();
        AwsCredentials keys = server.token == null
                ? AwsBasicCredentials.create("bedtape", "bedtape")
                // chooses the namespace of the server
                : AwsSessionCredentials.create("bedtape", "bedtape", server.token);
        var regions = Stream.of("AWS_REGION", "AWS_DEFAULT_REGION").map(System::getenv);
        return builder.endpointOverride(endpoint)
                .region(Region.of(regions.filter(Objects::nonNull).findFirst().orElse("us-east-1")))
                .credentialsProvider(StaticCredentialsProvider.create(keys))
                .overrideConfiguration(settings -> settings.retryStrategy(retries));
    }

    /**
     * Adds a rule, and returns its name: prompts with this part get the answers in turn, and then
     * the last answer again.
     */
    public String respond(String promptContains, Answer... answers) {
        return add(new Rule().when(new When().promptContains(promptContains)).answers(answers));
    }

    /** Adds a rule for all calls, which get the answers in turn, and returns its name. */
    public String respond(Answer... answers) {
        return add(new Rule().answers(answers));
    }

    /** Adds an error as the answer to this many calls. Returns the fault's name. */
    public String fail(String error, int times) {
        return add(new Fault().error(error).times(times));
    }

    /** Adds a rule and returns its name. The first rule that matches a call answers it. */
    public String add(Rule rule) {
        return send("POST", "/rules", rule).get("name").asText();
    }

    /** Adds a fault and returns its name. A fault has exactly one kind. */
    public String add(Fault fault) {
        return send("POST", "/faults", fault).get("name").asText();
    }

    /** Replaces the session's rules and faults, and sets its seed. */
    public void overlay(Overlay overlay) {
        send("PUT", "/overlay", overlay);
    }

    /** The rules and faults, also those of the server's overlay file. */
    public Layers layers() {
        return read("/overlay", Layers.class);
    }

    /** Removes a rule or fault by its name. */
    public void remove(String name) {
        send("DELETE", "/layers/" + encode(name), null);
    }

    /** The rules and faults that did not act: {@code rule-2 (prompt_contains="refund")}. */
    public List<String> unused() {
        return List.of(read("/unused", String[].class));
    }

    /** The files of the recordings that no call played. */
    public List<String> unplayed() {
        return List.of(read("/unplayed", String[].class));
    }

    /** The calls in the order in which they ended. */
    public List<Call> calls() {
        JsonNode page = send("GET", "/calls?limit=1000000000", null);
        return List.of(convert(page.get("calls"), Call[].class));
    }

    /**
     * The mistakes of the client in retrying, without findings about waits if {@code configure} was
     * called, because its clients do not wait.
     */
    public List<Finding> verdict() {
        return Stream.of(read("/verdict", Finding[].class))
                .filter(finding -> !fast || !WAITS.contains(finding.kind()))
                .toList();
    }

    /** Fails if the number of calls that meet the conditions is wrong. Default: at least 1 call. */
    public void assertCalled(Counted calls) {
        check("called", calls);
    }

    /** Fails if a call meets the conditions. */
    public void assertNotCalled(Conditions conditions) {
        check("not_called", conditions);
    }

    /** Fails unless calls meet the steps in this order. */
    public void assertSequence(Conditions... steps) {
        check("sequence", steps);
    }

    /** Fails unless calls meet the steps in this order, without other calls between them. */
    public void assertConsecutive(Conditions... steps) {
        check("consecutive", steps);
    }

    /** Fails unless a call that meets the conditions read so many tokens from a prompt cache. */
    public void assertCached(int atLeastTokens, Conditions conditions) {
        ObjectNode expected = Server.JSON.valueToTree(conditions);
        check("cached", expected.put("at_least_tokens", atLeastTokens));
    }

    /** Fails if a recording was not played. */
    public void assertAllPlayed() {
        check("all_played", true);
    }

    /** Fails if a rule or fault of the session did not act. */
    public void assertAllUsed() {
        check("all_used", true);
    }

    /** Chooses the features of the service to simulate, and drops the earlier features. */
    public void simulate(Rule.Simulate features) {
        send("PUT", "/simulate", features);
    }

    /** Chooses the cassette to play, and whether each recording is played once. */
    public void set(Settings settings) {
        send("PUT", "", settings);
    }

    /** Advances the virtual clock, by which quotas count. All sessions share the clock. */
    public void advance(Duration by) {
        server.send("POST", "/_bedtape/clock", Map.of("advance", by.toNanos() / 1e9));
    }

    /** Removes the session's rules, faults, positions and calls. */
    public void reset() {
        send("POST", "/reset", null);
    }

    /** Keeps a call that nothing answers, or a script that does not end, from failing the test. */
    public Bedrock allowMisses() {
        allowsMisses = true;
        return this;
    }

    /** The calls as text, and why the test must fail. */
    Summary summary() {
        return read("/summary", Summary.class);
    }

    boolean allowsMisses() {
        return allowsMisses;
    }

    void delete() {
        send("DELETE", "", null);
    }

    private void check(String kind, Object expected) {
        JsonNode result = send("POST", "/assert", Map.of(kind, expected));
        if (!result.get("passed").asBoolean()) {
            throw new AssertionError(result.get("report").asText());
        }
    }

    private JsonNode send(String method, String rest, Object body) {
        return server.send(method, path + rest, body);
    }

    private <T> T read(String rest, Class<T> type) {
        return convert(send("GET", rest, null), type);
    }

    private static <T> T convert(JsonNode value, Class<T> type) {
        return Server.JSON.convertValue(value, type);
    }
}
