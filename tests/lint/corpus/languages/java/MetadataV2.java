package com.example.tools;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

public class MetadataV2 {
    private static final String BASE = "http://169.254.169.254/latest";
    private final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(1)).build();

    private String send(HttpRequest request) throws IOException, InterruptedException {
        HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IOException("metadata: " + response.statusCode());
        }
        return response.body();
    }

    private String token() throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(BASE + "/api/token"))
            .header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
            .PUT(HttpRequest.BodyPublishers.noBody())
            .build());
    }

    public String get(String path) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(BASE + "/meta-data/" + path))
            .header("X-aws-ec2-metadata-token", token())
            .build());
    }
}
