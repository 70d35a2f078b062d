// A globalSetup for vitest or Jest: starts bedtape's image for all tests.
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";

const token = "a-token-for-tests";
let container: StartedTestContainer;

export async function setup(): Promise<void> {
  container = await new GenericContainer("bedtape")
    .withExposedPorts(4566)
    .withEnvironment({ BEDTAPE_CONTROL_TOKEN: token })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  process.env.BEDTAPE_URL = `http://${container.getHost()}:${container.getMappedPort(4566)}`;
  process.env.BEDTAPE_CONTROL_TOKEN = token;
}

export async function teardown(): Promise<void> {
  await container.stop();
}
