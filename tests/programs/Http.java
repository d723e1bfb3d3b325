// SPDX-License-Identifier: MIT
// Downloads: java Http.java URL
import java.net.URI;
import java.net.http.*;

public class Http {
	public static void main(String[] a) throws Exception {
		HttpClient c = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
		c.send(HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofInputStream())
			.body().transferTo(System.out);
		System.out.flush();
	}
}
