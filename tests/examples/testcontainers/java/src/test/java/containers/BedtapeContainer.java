package containers;

import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;

/** Starts bedtape's image before the first test. Testcontainers stops it after the last one. */
public final class BedtapeContainer implements BeforeAllCallback {
    private static final String TOKEN = "a-token-for-tests";
    private static final GenericContainer<?> CONTAINER = new GenericContainer<>("bedtape")
            .withExposedPorts(4566)
            .withEnv("BEDTAPE_CONTROL_TOKEN", TOKEN)
            .waitingFor(Wait.forHealthcheck());

    @Override
    public void beforeAll(ExtensionContext context) {
        CONTAINER.start(); // It does nothing if the container runs.
        String url = "http://" + CONTAINER.getHost() + ":" + CONTAINER.getMappedPort(4566);
        System.setProperty("bedtape.url", url);
        System.setProperty("bedtape.token", TOKEN);
    }
}
