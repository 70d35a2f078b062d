package spam;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.retry.RetryMode;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClientBuilder;
import software.amazon.awssdk.services.bedrockruntime.model.BedrockRuntimeException;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ConversationRole;
import software.amazon.awssdk.services.bedrockruntime.model.ModelErrorException;
import software.amazon.awssdk.services.bedrockruntime.model.ResourceNotFoundException;
import software.amazon.awssdk.services.bedrockruntime.model.ServiceUnavailableException;

/** Files mail: a model says whether it is spam, and a person looks at what the model is unsure of. */
public final class Spam {
    public enum Folder { INBOX, SPAM, REVIEW }

    // The better one first; the cheaper one answers where that is dead.
    private static final List<String> MODELS =
            List.of("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-lite-v1:0");
    private static final double SURE = 0.8;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final BedrockRuntimeClient client;

    public Spam(BedrockRuntimeClient client) {
        this.client = client;
    }

    /** A client that backs off between three attempts. */
    public static BedrockRuntimeClientBuilder client() {
        return BedrockRuntimeClient.builder()
                .overrideConfiguration(settings -> settings.retryStrategy(RetryMode.STANDARD));
    }

    public Folder file(String mail) {
        JsonNode told = read(ask("Please classify spam: answer {\"label\", \"confidence\"}.\n\n" + mail));
        if (told.path("confidence").asDouble(0) < SURE) {
            return Folder.REVIEW;
        }
        return switch (told.path("label").asText()) {
            case "spam" -> Folder.SPAM;
            case "ham" -> Folder.INBOX;
            default -> Folder.REVIEW;
        };
    }

    private String ask(String prompt) {
        BedrockRuntimeException failed = null;
        for (String model : MODELS) {
            try {
                return ask(model, prompt);
            } catch (ModelErrorException | ResourceNotFoundException | ServiceUnavailableException error) {
                failed = error;
            }
        }
        throw failed;
    }

    private String ask(String model, String prompt) {
        var answer = client.converse(request -> request
                .modelId(model)
                .messages(message -> message.role(ConversationRole.USER).content(ContentBlock.fromText(prompt))));
        return answer.output().message().content().stream()
                .map(ContentBlock::text).filter(Objects::nonNull).collect(Collectors.joining());
    }

    /** What the model said; what cannot be read is nothing to be sure of. */
    private static JsonNode read(String answer) {
        int start = answer.indexOf('{');
        int end = answer.lastIndexOf('}');
        try {
            return start < 0 || end < start ? JSON.createObjectNode() : JSON.readTree(answer.substring(start, end + 1));
        } catch (JsonProcessingException error) {
            return JSON.createObjectNode();
        }
    }
}
