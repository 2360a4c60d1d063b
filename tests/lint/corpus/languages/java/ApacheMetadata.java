package com.example.agent;

import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.client.methods.HttpPut;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.util.EntityUtils;

public class ApacheMetadata {
    static String token(CloseableHttpClient client) throws Exception {
        HttpPut put = new HttpPut("http://169.254.169.254/latest/api/token");
        put.setHeader("X-aws-ec2-metadata-token-ttl-seconds", "300");
        try (CloseableHttpResponse response = client.execute(put)) {
            if (response.getStatusLine().getStatusCode() != 200) {
                throw new IllegalStateException("no token");
            }
            return EntityUtils.toString(response.getEntity());
        }
    }

    static String userData(CloseableHttpClient client) throws Exception {
        String token = token(client);
        HttpGet get = new HttpGet("http://169.254.169.254/latest/user-data");
        try (CloseableHttpResponse response = client.execute(get)) {
            return EntityUtils.toString(response.getEntity());
        }
    }

    public static void main(String[] args) throws Exception {
        System.out.println(userData(HttpClients.createDefault()));
    }
}
