package bedtape;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Runs tests that fail, and reads how. */
class BedtapeExtensionTest {
    @ExtendWith(BedtapeExtension.class)
    static class Failing {
        @Test
        void misses(Bedrock bedrock) {
            BedrockTest.ask(bedrock, "nobody knows");
        }

        @Test
        void endsEarly(Bedrock bedrock) {
            var turn = new Rule.ScriptTurn().answer(new Answer().text("one"));
            bedrock.add(new Rule().script(turn, turn));
            BedrockTest.ask(bedrock, "first");
        }

        @Test
        void failsByItself(Bedrock bedrock) {
            bedrock.respond(new Answer().text("yes"));
            BedrockTest.ask(bedrock, "spam?");
            fail("by itself");
        }
    }

    private static String run(Map<String, String> messages) {
        var request = LauncherDiscoveryRequestBuilder.request()
                .selectors(selectClass(Failing.class))
                .build();
        var listener = new TestExecutionListener() {
            @Override
            public void executionFinished(TestIdentifier test, TestExecutionResult result) {
                result.getThrowable().ifPresent(
                        error -> messages.put(test.getDisplayName(), error.getMessage()));
            }
        };
        var shown = new ByteArrayOutputStream();
        PrintStream before = System.err;
        System.setErr(new PrintStream(shown, true, StandardCharsets.UTF_8));
        try {
            LauncherFactory.create().execute(request, listener);
        } finally {
            System.setErr(before);
        }
        return shown.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aMissAndAnUnfinishedScriptFailTheTestAndFailuresShowTheCalls() {
        Map<String, String> messages = new HashMap<>();
        String shown = run(messages);
        assertEquals(3, messages.size());
        String miss = messages.get("misses(Bedrock)");
        assertTrue(miss.contains("nobody knows"), miss);
        String unfinished = "script-1 (1 of 2 turns came)";
        assertTrue(messages.get("endsEarly(Bedrock)").contains(unfinished), messages.toString());
        assertEquals("by itself", messages.get("failsByItself(Bedrock)"));
        assertTrue(shown.contains("no answer found"), shown);
        assertTrue(shown.contains("\"first\" → \"one\""), shown);
        assertTrue(shown.contains("\"spam?\" → \"yes\""), shown);
    }
}
