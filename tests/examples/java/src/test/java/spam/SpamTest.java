package spam;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.retries.api.RetryStrategy;
import spam.Spam.Folder;

class SpamTest {
    // Three attempts, and no wait between them.
    private static final RetryStrategy RETRY_FAST = AwsRetryStrategy.standardRetryStrategy().toBuilder()
            .backoffStrategy(BackoffStrategy.retryImmediately())
            .throttlingBackoffStrategy(BackoffStrategy.retryImmediately())
            .build();
    private static final String WIN = "You have won! Send us your card number.";
    private Bedtape bedtape;
    private Spam spam;

    @BeforeEach
    void begin(TestInfo test) {
        bedtape = new Bedtape(test.getTestMethod().orElseThrow().getName());
        spam = new Spam(Spam.client()
                .endpointOverride(bedtape.endpoint)
                .overrideConfiguration(settings -> settings.retryStrategy(RETRY_FAST))
                .build());
    }

    @AfterEach
    void end() throws Exception {
        bedtape.drop();
    }

    @Test
    void mailGoesWhereTheModelSays() throws Exception {
        bedtape.rule("""
            {"when": {"prompt_contains": "card number"}, "answer": {"json": {"label": "spam", "confidence": 0.98}}}""");
        bedtape.rule("""
            {"when": {"prompt_contains": "Lunch"}, "answer": {"json": {"label": "ham", "confidence": 0.93}}}""");
        assertEquals(Folder.SPAM, spam.file(WIN));
        assertEquals(Folder.INBOX, spam.file("Lunch at noon?"));
        bedtape.assertCalled("""
            {"prompt_contains": "classify spam", "times": 2}""");
    }

    @Test
    void aPersonLooksAtWhatIsBorderlineOrCannotBeRead() throws Exception {
        bedtape.rule("""
            {"answers": [{"json": {"label": "spam", "confidence": 0.55}}, {"text": "I cannot say."}]}""");
        assertEquals(Folder.REVIEW, spam.file(WIN));
        assertEquals(Folder.REVIEW, spam.file(WIN));
    }

    @Test
    void throttledTwiceItBacksOffAndFilesTheMail() throws Exception {
        bedtape.rule("""
            {"answer": {"json": {"label": "spam", "confidence": 0.98}}}""");
        bedtape.fault("""
            {"error": "ThrottlingException", "times": 2}""");
        assertEquals(Folder.SPAM, spam.file(WIN));
        assertEquals(List.of(429, 429, 200), bedtape.statuses());
    }

    @Test
    void whereAModelIsDeadACheaperOneAnswers() throws Exception {
        bedtape.rule("""
            {"answer": {"json": {"label": "spam", "confidence": 0.9}}}""");
        bedtape.fault("""
            {"error": "ServiceUnavailableException", "when": {"model": "*claude*"}}""");
        assertEquals(Folder.SPAM, spam.file(WIN));
        bedtape.assertCalled("""
            {"model": "*claude*", "status": 503, "times": 3}""");
        bedtape.assertCalled("""
            {"model": "*nova*", "status": 200, "times": 1}""");
    }
}
