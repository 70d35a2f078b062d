package bedtape;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ConversationRole;
import software.amazon.awssdk.services.bedrockruntime.model.ServiceUnavailableException;

@ExtendWith(BedtapeExtension.class)
class ExampleTest {
    /** The code under test: it asks a second model if the first one is not available. */
    static String summarize(BedrockRuntimeClient client, String text) {
        try {
            return ask(client, "us.anthropic.claude-haiku-4-5-20251001-v1:0", "Summarize: " + text);
        } catch (ServiceUnavailableException error) {
            return ask(client, "us.amazon.nova-lite-v1:0", "Summarize: " + text);
        }
    }

    private static String ask(BedrockRuntimeClient client, String model, String prompt) {
        var content = ContentBlock.fromText(prompt);
        return client.converse(request -> request.modelId(model).messages(message ->
                        message.role(ConversationRole.USER).content(content)))
                .output().message().content().get(0).text();
    }

    @Test
    void aSecondModelTakesOver(Bedrock bedrock) {
        bedrock.respond("Summarize", new Answer().text("All is well."));
        bedrock.add(new Fault()
                .error("ServiceUnavailableException")
                .when(new When().model("*claude*")));
        var client = bedrock.configure(BedrockRuntimeClient.builder()).build();

        assertEquals("All is well.", summarize(client, "a long letter"));

        bedrock.assertCalled(new Counted().model("*claude*").status(503).times(3));
        bedrock.assertCalled(new Counted().model("*nova*").stopReason("end_turn").times(1));
    }
}
