package bedtape;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives a test that has a parameter of the type {@link Bedrock} its own session.
 *
 * <p>After the test, the session is deleted. The test fails if a call had no answer or a script did
 * not end. If a test failed, its calls are printed, one line each.
 */
public final class BedtapeExtension implements ParameterResolver, AfterEachCallback {
    private static final Namespace SPACE = Namespace.create(BedtapeExtension.class);

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == Bedrock.class
                && context.getTestMethod().isPresent();
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        var store = context.getStore(SPACE);
        return store.getOrComputeIfAbsent(
                Bedrock.class, key -> new Bedrock(name(context)), Bedrock.class);
    }

    /** Class, method, and the number of a repetition or of arguments: {@code CartTest.adds#2}. */
    private static String name(ExtensionContext context) {
        String id = context.getUniqueId();
        int number = id.lastIndexOf("-invocation:#");
        String name = context.getRequiredTestClass().getName();
        name += "." + context.getRequiredTestMethod().getName();
        return number < 0
                ? name
                : name + id.substring(id.indexOf('#', number), id.indexOf(']', number));
    }

    @Override
    public void afterEach(ExtensionContext context) {
        Bedrock bedrock = context.getStore(SPACE).remove(Bedrock.class, Bedrock.class);
        if (bedrock == null) {
            return;
        }
        Summary summary = bedrock.summary();
        bedrock.delete();
        boolean fails = !bedrock.allowsMisses() && !summary.problems().isEmpty();
        if (fails || context.getExecutionException().isPresent()) {
            System.err.println("bedtape: " + summary.text());
        }
        if (fails) {
            throw new AssertionError(String.join("\n\n", summary.problems()));
        }
    }
}
