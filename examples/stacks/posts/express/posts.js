'use strict';

// Posts in a DynamoDB table, or in memory if no table is named.

const { DynamoDBClient, PutItemCommand, ScanCommand } = require('@aws-sdk/client-dynamodb');

class Table {
  constructor(name) {
    this.name = name;
    this.client = new DynamoDBClient({});
  }

  async add({ id, text, words }) {
    const item = { id: { S: id }, text: { S: text }, words: { N: String(words) } };
    await this.client.send(new PutItemCommand({ TableName: this.name, Item: item }));
  }

  async list() {
    const { Items } = await this.client.send(new ScanCommand({ TableName: this.name, Limit: 100 }));
    return Items.map(({ id, text, words }) => ({ id: id.S, text: text.S, words: Number(words.N) }));
  }
}

class Memory {
  posts = [];

  async add(post) {
    this.posts.push(post);
  }

  async list() {
    return this.posts;
  }
}

module.exports = (name) => (name ? new Table(name) : new Memory());
