// One conversation over a bidirectional stream, as in ../javascript/conversation.mjs. The arguments are the HTTP client (netty or crt), the version of HTTP, and a name of the server's host.

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletionException;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.crt.AwsCrtAsyncHttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClientBuilder;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamInput;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamResponseHandler;

public final class Talk {
    private final Deque<JsonNode> steps;
    private final Map<String, Integer> counts = new HashMap<>();
    private final Map<String, Integer> awaited = new HashMap<>();
    private Subscriber<? super InvokeModelWithBidirectionalStreamInput> subscriber;
    private long demand;

    private Talk(JsonNode job) {
        steps = new ArrayDeque<>(job.field("steps").orElseThrow().asArray());
    }

    /** Sends the events up to the next one that is awaited, as many as the client takes. */
    private synchronized void advance() {
        while (subscriber != null && !steps.isEmpty()) {
            JsonNode step = steps.peek();
            if (step.field("await").isPresent()) {
                String name = step.field("await").get().asString();
                int wanted = awaited.getOrDefault(name, 0) + 1;
                if (counts.getOrDefault(name, 0) < wanted) {
                    return;
                }
                awaited.put(name, wanted);
            } else if (step.field("end").isPresent()) {
                steps.clear();
                subscriber.onComplete();
                return;
            } else {
                if (demand == 0) {
                    return;
                }
                demand--;
                SdkBytes bytes = SdkBytes.fromUtf8String(step.field("send").orElseThrow().toString());
                steps.poll();
                subscriber.onNext(InvokeModelWithBidirectionalStreamInput.chunkBuilder().bytes(bytes).build());
                continue;
            }
            steps.poll();
        }
    }

    private synchronized void receive(JsonNode value) {
        value.field("event").ifPresent(event ->
            event.asObject().keySet().stream().findFirst().ifPresent(name -> counts.merge(name, 1, Integer::sum)));
    }

    private void subscribe(Subscriber<? super InvokeModelWithBidirectionalStreamInput> to) {
        to.onSubscribe(new Subscription() {
            @Override
            public void request(long number) {
                synchronized (Talk.this) {
                    subscriber = to;
                    demand += number;
                }
                advance();
            }

            @Override
            public void cancel() {
                synchronized (Talk.this) {
                    subscriber = null;
                }
            }
        });
    }

    private static BedrockRuntimeAsyncClient client(SdkAsyncHttpClient http, String[] arguments) {
        BedrockRuntimeAsyncClientBuilder builder = BedrockRuntimeAsyncClient.builder().httpClient(http);
        if (arguments.length > 2) {
            String endpoint = System.getenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME");
            builder.endpointOverride(URI.create(endpoint.replace("127.0.0.1", arguments[2])));
        }
        return builder.build();
    }

    public static void main(String[] arguments) throws Exception {
        JsonNode job = JsonNode.parser().parse(System.in);
        Protocol protocol = Protocol.valueOf(arguments[1]);
        SdkAsyncHttpClient http = arguments[0].equals("crt")
            // CRT reads javax.net.ssl.trustStore only if it is told to.
            ? AwsCrtAsyncHttpClient.builder().protocol(protocol).useTrustStoreSystemProperties(true).build()
            : NettyNioAsyncHttpClient.builder().protocol(protocol).build();
        Talk talk = new Talk(job);
        InvokeModelWithBidirectionalStreamRequest request = InvokeModelWithBidirectionalStreamRequest.builder()
            .modelId(job.field("model").orElseThrow().asString()).build();
        InvokeModelWithBidirectionalStreamResponseHandler handler = InvokeModelWithBidirectionalStreamResponseHandler.builder()
            .subscriber(InvokeModelWithBidirectionalStreamResponseHandler.Visitor.builder()
                .onChunk(chunk -> {
                    String text = chunk.bytes().asString(StandardCharsets.UTF_8);
                    System.out.println(text);
                    talk.receive(JsonNode.parser().parse(text));
                    talk.advance();
                }).build())
            .onError(error -> { })
            .build();
        try (BedrockRuntimeAsyncClient client = client(http, arguments)) {
            client.invokeModelWithBidirectionalStream(request, talk::subscribe, handler).join();
        } catch (CompletionException error) {
            Throwable cause = error.getCause();
            Integer status = cause instanceof AwsServiceException service ? service.statusCode() : null;
            System.out.println("{\"error\": \"" + cause.getClass().getSimpleName() + "\", \"status\": " + status + "}");
        }
        System.exit(0);
    }
}
