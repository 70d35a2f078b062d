import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;

/** Sends one POST request through the proxy of HTTPS_PROXY: URL, BODY, and headers as NAME=VALUE. */
public class Client {
    public static void main(String[] arguments) throws Exception {
        URI proxy = URI.create(System.getenv("HTTPS_PROXY"));
        String[] login = proxy.getUserInfo().split(":");
        Authenticator.setDefault(new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(login[0], login[1].toCharArray());
            }
        });
        Proxy through = new Proxy(Proxy.Type.HTTP, new InetSocketAddress(proxy.getHost(), proxy.getPort()));
        HttpURLConnection connection =
            (HttpURLConnection) URI.create(arguments[0]).toURL().openConnection(through);
        connection.setRequestMethod("POST");
        connection.setDoOutput(true);
        for (int at = 2; at < arguments.length; at++) {
            String[] header = arguments[at].split("=", 2);
            connection.setRequestProperty(header[0], header[1]);
        }
        connection.getOutputStream().write(arguments[1].getBytes(StandardCharsets.UTF_8));
        byte[] answer = connection.getInputStream().readAllBytes();
        System.out.println(connection.getResponseCode() + " " + new String(answer, StandardCharsets.UTF_8));
    }
}
