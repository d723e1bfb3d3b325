// SPDX-License-Identifier: MIT
// Ten echo connections of AsynchronousSocketChannel, with much on its way at once: java Async.java HOST PORT
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;

public class Async {
	static final int SIZE = 3_000_000;
	static final CountDownLatch left = new CountDownLatch(10);

	static void fail(Throwable t) { t.printStackTrace(); System.exit(1); }

	static void one(int id, InetSocketAddress to) throws Exception {
		AsynchronousSocketChannel c = AsynchronousSocketChannel.open();
		byte[] all = new byte[SIZE];
		new Random(id).nextBytes(all);
		ByteBuffer out = ByteBuffer.wrap(all), in = ByteBuffer.allocate(SIZE);

		c.connect(to).get();
		c.write(out, null, new CompletionHandler<Integer, Void>() {
			public void completed(Integer n, Void v) { if (out.hasRemaining()) c.write(out, null, this); }
			public void failed(Throwable t, Void v) { fail(t); }
		});
		c.read(in, 20, TimeUnit.SECONDS, null, new CompletionHandler<Integer, Void>() {
			public void completed(Integer n, Void v) {
				if (n < 0) fail(new Exception("early end"));
				if (in.hasRemaining()) { c.read(in, 20, TimeUnit.SECONDS, null, this); return; }
				if (!Arrays.equals(in.array(), all)) fail(new Exception("wrong"));
				try { c.close(); } catch (Exception e) { fail(e); }
				left.countDown();
			}
			public void failed(Throwable t, Void v) { fail(t); }
		});
	}

	public static void main(String[] a) throws Exception {
		for (int i = 0; i < 10; i++) one(i, new InetSocketAddress(a[0], Integer.parseInt(a[1])));
		left.await();
		System.out.println("10 times " + SIZE);
	}
}
