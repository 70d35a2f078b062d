package bedtape;

import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;

/** Asks each prompt of the variable PROMPTS once, with the SDK's default configuration. */
class DefaultRetries {
    @Test
    void ask() {
        for (String prompt : System.getenv("PROMPTS").split(",")) {
            try {
                System.out.println(BedrockTest.ask(BedrockRuntimeClient.builder(), prompt));
            } catch (SdkClientException error) {
                System.out.println(error.getMessage());
            }
        }
    }
}
