package com.example.web;

import org.springframework.http.HttpEntity;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.web.client.RestTemplate;

public class SpringToken {
    private final RestTemplate restTemplate;

    public SpringToken(RestTemplate restTemplate) {
        this.restTemplate = restTemplate;
    }

    public String instanceType() {
        HttpHeaders asking = new HttpHeaders();
        asking.set("X-aws-ec2-metadata-token-ttl-seconds", "60");
        String token = restTemplate.exchange("http://169.254.169.254/latest/api/token",
            HttpMethod.PUT, new HttpEntity<>(asking), String.class).getBody();
        HttpHeaders headers = new HttpHeaders();
        headers.set("X-aws-ec2-metadata-token", token);
        return restTemplate.exchange("http://169.254.169.254/latest/meta-data/instance-type",
            HttpMethod.GET, new HttpEntity<>(headers), String.class).getBody();
    }
}
