package bedtape;

import dev.langchain4j.model.bedrock.BedrockChatModel;
import org.junit.jupiter.api.Test;

/** Asks each prompt of the variable PROMPTS once, with LangChain4j's default configuration. */
class DefaultRetries {
    @Test
    void ask() {
        BedrockChatModel model = BedrockChatModel.builder().modelId("us.amazon.nova-lite-v1:0").build();
        for (String prompt : System.getenv("PROMPTS").split(",")) {
            try {
                System.out.println(model.chat(prompt));
            } catch (RuntimeException error) {
                System.out.println(error.getMessage());
            }
        }
    }
}
