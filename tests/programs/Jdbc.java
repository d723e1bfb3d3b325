// SPDX-License-Identifier: MIT
// Many statements, and one long answer, by JDBC in threads: java Jdbc.java HOST POSTGRES-PORT MARIADB-PORT
import java.sql.*;
import java.util.*;

public class Jdbc {
	static long ask(String url, String series) throws Exception {
		long sum = 0;

		try (Connection c = DriverManager.getConnection(url)) {
			PreparedStatement p = c.prepareStatement("SELECT ? + 1, REPEAT('x', 500)");
			for (int i = 0; i < 250; i++) {
				p.setInt(1, i);
				try (ResultSet r = p.executeQuery()) {
					r.next();
					sum += r.getInt(1) + r.getString(2).length();
				}
				Thread.sleep(5);
			}
			c.setAutoCommit(false);
			Statement s = c.createStatement();
			s.setFetchSize(1000);
			try (ResultSet r = s.executeQuery(series)) {
				while (r.next()) sum = sum * 31 + r.getString(1).hashCode();
			}
		}
		return sum;
	}

	public static void main(String[] a) throws Exception {
		String pg = "jdbc:postgresql://" + a[0] + ":" + a[1] + "/postgres?user=mifcont";
		String my = "jdbc:mariadb://" + a[0] + ":" + a[2] + "/?user=mifcont";
		Map<Integer, Object> got = new TreeMap<>();
		List<Thread> all = new ArrayList<>();

		for (int i = 0; i < 8; i++) {
			int id = i;
			Thread t = new Thread(() -> {
				Object r;
				try {
					r = id % 2 == 0 ? ask(pg, "SELECT md5(i::text) FROM generate_series(1,100000) i")
						: ask(my, "SELECT MD5(seq) FROM mysql.seq_1_to_100000");
				} catch (Exception e) { e.printStackTrace(); r = e; }
				synchronized (got) { got.put(id, r); }
			});
			t.start();
			all.add(t);
		}
		for (Thread t : all) t.join();
		System.out.println(got);
		for (Object o : got.values()) if (o instanceof Exception) System.exit(1);
	}
}
