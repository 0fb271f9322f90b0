"""The MQTT connection: paho-mqtt behind one thread of ours that alone touches the socket."""

from satellite.adapters.mqtt_link.broker import Broker
from satellite.adapters.mqtt_link.link import MqttLink

__all__ = ["Broker", "MqttLink"]
