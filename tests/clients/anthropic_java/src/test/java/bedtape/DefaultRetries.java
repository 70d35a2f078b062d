package bedtape;

import com.anthropic.bedrock.backends.BedrockBackend;
import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.models.messages.MessageCreateParams;
import org.junit.jupiter.api.Test;

/** Asks each prompt of the variable PROMPTS once, with the default configuration of Anthropic's client. */
class DefaultRetries {
    @Test
    void ask() {
        AnthropicClient client = AnthropicOkHttpClient.builder().backend(BedrockBackend.fromEnv()).build();
        for (String prompt : System.getenv("PROMPTS").split(",")) {
            MessageCreateParams question = MessageCreateParams.builder()
                    .model("us.anthropic.claude-haiku-4-5-20251001-v1:0")
                    .maxTokens(99)
                    .addUserMessage(prompt)
                    .build();
            try {
                System.out.println(client.messages().create(question).content());
            } catch (RuntimeException error) {
                System.out.println(error.getMessage());
            }
        }
    }
}
