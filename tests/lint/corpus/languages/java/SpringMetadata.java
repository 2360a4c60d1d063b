package com.example.web;

import org.springframework.stereotype.Component;
import org.springframework.web.client.RestTemplate;

@Component
public class SpringMetadata {
    private static final String URL = "http://169.254.169.254/latest/meta-data/placement/availability-zone";
    private final RestTemplate rest = new RestTemplate();

    public String region() {
        String zone = rest.getForObject(URL, String.class);
        return zone.substring(0, zone.length() - 1);
    }
}
