package com.example.agent;

import static org.mockito.Mockito.when;

import org.junit.jupiter.api.Test;
import org.mockito.Mockito;
import org.springframework.web.client.RestTemplate;

class MetadataTest {
    @Test
    void reads() {
        RestTemplate rest = Mockito.mock(RestTemplate.class);
        when(rest.getForObject("http://169.254.169.254/latest/meta-data/ami-id", String.class)).thenReturn("ami-1");
    }
}
