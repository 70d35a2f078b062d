package bedtape;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClientBuilder;
import software.amazon.awssdk.services.bedrockruntime.model.BedrockRuntimeException;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ConversationRole;

@ExtendWith(BedtapeExtension.class)
class BedrockTest {
    private static final String NOVA = "us.amazon.nova-lite-v1:0";
    private Bedrock before;

    @BeforeEach
    void begin(Bedrock bedrock) {
        before = bedrock;
    }

    /** The text of an answer, or the name of the error. */
    static String ask(BedrockRuntimeClientBuilder builder, String prompt) {
        try (BedrockRuntimeClient client = builder.build()) {
            var content = ContentBlock.fromText(prompt);
            return client.converse(request -> request.modelId(NOVA).messages(message ->
                            message.role(ConversationRole.USER).content(content)))
                    .output().message().content().get(0).text();
        } catch (BedrockRuntimeException error) {
            return error.awsErrorDetails().errorCode();
        }
    }

    static String ask(Bedrock bedrock, String prompt) {
        return ask(bedrock.configure(BedrockRuntimeClient.builder()), prompt);
    }

    private static <T> List<T> each(Bedrock bedrock, Function<Call, T> member) {
        return bedrock.calls().stream().map(member).toList();
    }

    @Test
    void rulesAnswer(Bedrock bedrock) {
        System.out.println("endpoint: " + bedrock.url());
        assertEquals("rule-1", bedrock.respond("spam", new Answer().json(Map.of("label", "spam"))));
        bedrock.add(new Rule()
                .name("judge")
                .when(new When().anyOf(
                        new When().promptContains("a"), new When().promptContains("b")))
                .answers(new Answer().text("one"), new Answer().text("two"))
                .times(2));
        bedrock.respond(new Answer().text("cut").stopReason("max_tokens"));
        assertEquals(
                List.of("{\"label\":\"spam\"}", "one", "two", "cut"),
                Stream.of("spam", "a", "b", "a").map(prompt -> ask(bedrock, prompt)).toList());
        bedrock.assertCalled(new Counted().by("judge").times(2));
        var converse = new Counted().operation("Converse");
        bedrock.assertCalled(converse.temperature(Bedrock.NULL).atLeast(4));
        bedrock.assertAllUsed();
        Call last = bedrock.calls().get(3);
        assertEquals("cut", last.text());
        assertEquals("max_tokens", last.stopReason());
        assertEquals(null, last.temperature());
    }

    @Test
    void aCacheIsSimulatedAndAsserted(Bedrock bedrock) {
        bedrock.respond(new Answer().text("fine"));
        bedrock.simulate(new Rule.Simulate()
                .caching(new Rule.Caching().automatic(true).minimumTokens(1)));
        var asked = new Conditions().promptContains("long question");
        ask(bedrock, "a long question ".repeat(100));
        assertThrows(AssertionError.class, () -> bedrock.assertCached(1, asked));
        ask(bedrock, "a long question ".repeat(100));
        bedrock.assertCached(128, asked);
    }

    @Test
    void faultsAreRetriedWithoutWaiting(Bedrock bedrock) {
        bedrock.respond(new Answer().text("at last"));
        assertEquals("fault-1", bedrock.fail("ThrottlingException", 2));
        bedrock.add(new Fault().latency(new Fault.Latency().firstByteMs(1)).times(1));
        assertEquals("at last", ask(bedrock, "hi"));
        assertEquals(List.of(429, 429, 200), each(bedrock, Call::status));
        bedrock.assertCalled(new Counted().status(429).error("ThrottlingException").times(2));
        bedrock.assertNotCalled(new Conditions().status(429).error(Bedrock.NULL));
        Conditions throttled = new Conditions().status(429);
        bedrock.assertSequence(throttled, new Conditions().status(200));
        bedrock.assertConsecutive(throttled, throttled, new Conditions().error(Bedrock.NULL));
        assertEquals(List.of(), bedrock.verdict());
    }

    @Test
    void theVerdictNamesMistakes(Bedrock bedrock) {
        bedrock.fail("ValidationException", 1);
        bedrock.respond(new Answer().text("valid"));
        var eager = AwsRetryStrategy.standardRetryStrategy().toBuilder()
                .retryOnException(error -> true)
                .build();
        assertEquals("valid", ask(bedrock.configure(BedrockRuntimeClient.builder())
                .overrideConfiguration(settings -> settings.retryStrategy(eager)), "hi"));
        assertEquals(
                List.of("retried_what_it_must_not"),
                bedrock.verdict().stream().map(Finding::kind).toList());
    }

    @Test
    void layersCassettesAndTheClock(Bedrock bedrock) {
        bedrock.overlay(new Overlay()
                .seed(7)
                .rules(new Rule().name("hi").answer(new Answer().text("rule")))
                .faults(new Fault().name("limit").quota(new Fault.Quota().requestsPerMinute(1))));
        var once = AwsRetryStrategy.doNotRetry();
        var builder = bedrock.configure(BedrockRuntimeClient.builder())
                .overrideConfiguration(settings -> settings.retryStrategy(once));
        Function<String, String> askOnce = prompt -> ask(builder, prompt);
        assertEquals("rule", askOnce.apply("a"));
        assertEquals("ThrottlingException", askOnce.apply("b"));
        bedrock.advance(Duration.ofMinutes(1));
        assertEquals("rule", askOnce.apply("c"));
        Layers layers = bedrock.layers();
        assertEquals(7, layers.seed());
        assertEquals(2, layers.rules().get(0).fired());
        assertEquals(1, layers.faults().get(0).quota().requestsPerMinute);
        bedrock.remove("hi");
        bedrock.remove("limit");

        bedrock.set(new Settings().cassette("hello").strict(true));
        assertEquals(2, bedrock.unplayed().size());
        assertThrows(AssertionError.class, bedrock::assertAllPlayed);
        bedrock.respond("never", new Answer().text("no"));
        assertEquals(List.of("rule-1 (prompt_contains=\"never\")"), bedrock.unused());
        bedrock.reset();
        assertEquals(List.of(), bedrock.calls());
        assertEquals(List.of(), bedrock.unused());
    }

    @RepeatedTest(2)
    void aSessionIsNamedByItsTest(Bedrock bedrock) {
        bedrock.respond(new Answer().text("own"));
        assertSame(before, bedrock);
        assertEquals("own", ask(bedrock, "hi"));
        String name = bedrock.calls().get(0).session();
        assertTrue(name.matches("bedtape\\.BedrockTest\\.aSessionIsNamedByItsTest#[12]"), name);
    }

    @Test
    void aFailedAssertionShowsTheNearestCalls(Bedrock bedrock) {
        bedrock.respond(new Answer().text("yes"));
        ask(bedrock, "spam?");
        var ham = new Counted().promptEquals("ham?");
        Error error = assertThrows(AssertionError.class, () -> bedrock.assertCalled(ham));
        assertTrue(error.getMessage().contains("\"spam?\""), error.getMessage());
    }

    @Test
    void theServerExplainsWhatItRefuses(Bedrock bedrock) {
        var fault = new Fault().times(-1);
        Exception error = assertThrows(IllegalArgumentException.class, () -> bedrock.add(fault));
        assertTrue(error.getMessage().contains("status 400: "), error.getMessage());
    }

    @Test
    void missesCanBeAllowed(Bedrock bedrock) {
        bedrock.allowMisses();
        ask(bedrock, "a prompt that nothing answers");
    }
}
