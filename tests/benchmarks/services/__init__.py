"""The services that the gateway is compared with, each as its author would write it in an afternoon."""
